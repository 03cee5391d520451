import json

import pytest

from sketchy import report
from sketchy.commands import evaluate, runs
from sketchy.errors import RunError


def add(folder, name, config, scores, **files):
    """Write a run of some epochs, a minute each, with their validation mAP."""
    run = folder / name
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(config)
    rows = [f"{epoch},60,{score}\n" for epoch, score in enumerate(scores, start=1)]
    if rows:
        (run / "history.csv").write_text("epoch,seconds,val_map_all\n" + "".join(rows))
    for file, tree in files.items():
        (run / f"{file}.json").write_text(json.dumps(tree))


@pytest.fixture
def folder(tmp_path):
    """Runs: `b` is finished and evaluated, `a` has 2 of 9 epochs, `c` none."""
    folder = tmp_path / "runs"
    evaluated = {"result": {"best": {"val_map_all": 0.7}}, "evaluation": {"metrics": {"map_all": 0.6}}}
    add(folder, "b", "train: {epochs: 4, seed: 1}", [0.1, 0.5, 0.4, 0.3], **evaluated)
    add(folder, "a", "{train: {epochs: 9}, loss: {name: infonce}, sampler: {name: pk}}", [0.25, 0.125])
    add(folder, "c", "train: {epochs: 9}", [])
    (folder / "notes").mkdir()
    return folder


def test_runs_are_summarized_by_what_their_folders_hold(folder):
    a, b, c = runs.run(folder)
    assert (a.name, a.finished, a.epochs, a.planned_epochs, a.minutes) == ("a", False, 2, 9, 2)
    assert (a.val_map, a.test_map) == (0.25, None)
    assert (b.name, b.finished, b.epochs, b.planned_epochs, b.minutes) == ("b", True, 4, 4, 4)
    assert (b.val_map, b.test_map) == (0.7, 0.6)
    assert (c.name, c.finished, c.epochs, c.val_map, c.minutes) == ("c", False, 0, None, 0)


def test_only_the_settings_that_differ_are_listed(folder):
    a, b, _ = runs.run(folder)
    assert {"loss.name", "loss.temperature", "loss.margin", "sampler.name", "train.epochs", "train.seed"} <= set(
        a.settings
    )
    assert "image.size" not in a.settings
    assert (a.settings["loss.margin"], b.settings["loss.margin"]) == (None, 2.0)
    _, c = runs.run(folder, ["c", "b"])
    assert c.settings == {"train.epochs": 9, "train.seed": 0}


def test_an_unknown_run_is_refused_with_what_is_near(folder, tmp_path):
    with pytest.raises(RunError, match=rf"no run called d under {folder}; known are a, b, c"):
        runs.run(folder, ["d"])
    for empty in (tmp_path / "gone", folder / "notes"):
        with pytest.raises(RunError, match=rf"there is no run under {empty}; train one"):
            runs.run(empty)


def test_a_run_whose_config_is_damaged_is_left_out_with_a_warning(folder, logged):
    (folder / "a" / "config.yaml").write_text("train: {epochs: many}")
    assert [summary.name for summary in runs.run(folder)] == ["b", "c"]
    (message,) = [line for line in logged.messages if line.startswith("a is left out: 1 problem in")]
    assert "run again: train.epochs: " in message


def test_a_run_of_another_version_is_compared_by_what_its_config_says(folder, logged):
    (folder / "a" / "config.yaml").write_text("train: {epochs: 9, seed: 1}\nmodel: {magic: {size: 4}, dropout: 0.5}")
    a, b, _ = runs.run(folder)
    assert (a.epochs, a.planned_epochs, a.val_map) == (2, 9, 0.25)
    assert (a.settings["model.magic.size"], b.settings["model.magic.size"]) == (4, None)
    assert a.settings["model.dropout"] == 0.5
    (message,) = [line for line in logged.messages if line.startswith("a ")]
    assert message.startswith("a is of another version: model.magic: unknown key; known are")
    assert "\n" not in message


def test_the_settings_inside_a_setting_are_compared_one_by_one(folder):
    for name, share in (("a", 0.25), ("b", 0.5)):
        (folder / name / "config.yaml").write_text(f"model: {{normalize: true, spatial: {{block: 1, share: {share}}}}}")
    a, b = runs.run(folder, ["a", "b"])
    assert a.settings == {"model.spatial.share": 0.25}
    assert b.settings == {"model.spatial.share": 0.5}
    _, c = runs.run(folder, ["a", "c"])
    assert c.settings["model.spatial.block"] is None
    assert "model.spatial" not in c.settings


def test_the_table_is_shortened_to_fit_a_terminal(folder):
    for name in ("a", "b"):
        (folder / name / "config.yaml").write_text(f"data: {{root: /data/of/a/person/in/a/long/folder/{name}}}")
    found = runs.run(folder, ["a", "b"])
    assert max(map(len, report.runs_text(found, 60).splitlines())) <= 60
    assert "…/in/a/long/folder/a  …/in/a/long/folder/b" in report.runs_text(found, 60)
    assert "/data/of/a/person/in/a/long/folder/a" in report.runs_text(found)


@pytest.mark.parametrize("damage", ["", "[]", '{"best": {}, "metrics": {}}'])
def test_a_damaged_result_leaves_the_history(damage, folder):
    for name in ("result", "evaluation"):
        (folder / "b" / f"{name}.json").write_text(damage)
    _, b, _ = runs.run(folder)
    assert (b.finished, b.val_map, b.test_map) == (True, 0.5, None)


def test_the_table_has_a_row_for_each_run_and_a_column_for_each_in_the_settings(folder):
    lines = [line.split() for line in report.runs_text(runs.run(folder)).splitlines()]
    assert lines[2:5] == [
        ["a", "no", "2", "of", "9", "0.250", "-", "2.0"],
        ["b", "yes", "4", "of", "4", "0.700", "0.600", "4.0"],
        ["c", "no", "0", "of", "9", "-", "-", "0.0"],
    ]
    assert lines[6] == ["setting", "a", "b", "c"]
    assert ["loss.name", "infonce", "contrastive", "contrastive"] in lines
    assert ["loss.margin", "-", "2.0", "2.0"] in lines
    assert report.runs_text(runs.run(folder, ["b"])).count("\n") == 2


def test_an_evaluation_of_the_best_checkpoint_is_shown_with_its_run(trained, dataset):
    best = trained / "tiny" / "best.pth"
    found = evaluate.run(best)
    (tiny,) = runs.run(trained)
    assert tiny.test_map == found.metrics["map_all"]
    (trained / "tiny" / "evaluation.json").unlink()
    evaluate.run(best, data=dataset)
    evaluate.run(best, protocol="instance")
    evaluate.run(trained / "tiny" / "last.pth")
    assert runs.run(trained)[0].test_map is None
