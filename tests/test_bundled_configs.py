import re
from pathlib import Path

import pytest

from sketchy.bundled_configs import config_path, config_summaries
from sketchy.config_file import load_config
from sketchy.errors import ConfigError

ROOT = Path(__file__).parents[1]
RESULTS = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
SUMMARIES = {summary.name: summary for summary in config_summaries()}


def test_every_config_of_the_project_is_listed():
    assert sorted(SUMMARIES) == sorted(file.stem for file in (ROOT / "configs").glob("*.yaml"))


@pytest.mark.parametrize("name", SUMMARIES)
def test_a_config_goes_by_its_name_and_can_be_used(name):
    assert load_config(config_path(name)) == load_config(ROOT / "configs" / f"{name}.yaml")


@pytest.mark.parametrize("text", ["mine.yaml", "mine.yml", "./recommended", "configs/recommended"])
def test_what_looks_like_a_path_is_a_file(text):
    assert config_path(text) == Path(text)


@pytest.mark.parametrize(
    ("text", "remedy"), [("recomended", "did you mean recommended"), ("x", "a file ends in .yaml")]
)
def test_an_unknown_name_is_refused_with_what_is_near(text, remedy):
    with pytest.raises(ConfigError, match=f"no config is called {text}; .*{remedy}"):
        config_path(text)


@pytest.mark.parametrize("name", [name for name, summary in SUMMARIES.items() if "mAP@all" in summary.quality])
def test_the_figures_are_those_of_the_results(name):
    if name == "demo":  # on the demo data, of which the README shows an evaluation
        return
    summary = SUMMARIES[name]
    (quality,) = re.findall(r"mAP@all (\.\d+)", summary.quality)
    rows = [row for row in RESULTS.splitlines() if row.startswith(f"| `{name}.yaml`") and quality in row]
    assert rows
    assert summary.network.removesuffix(" weights") in rows[0]
    minutes = re.match(r"\d+ min", summary.time)
    assert minutes is None or minutes[0] in rows[0]


def test_small_is_trained_in_the_share_of_the_time_that_it_says():
    small, recommended = (int(SUMMARIES[name].time.split()[0]) for name in ("small", "recommended"))
    assert "in a quarter of the time of `recommended`" in config_path("small").read_text(encoding="utf-8")
    assert small / recommended == pytest.approx(1 / 4, rel=0.1)
