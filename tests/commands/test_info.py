import pytest
from typer.testing import CliRunner

from sketchy.cli import app
from sketchy.commands import index, info
from sketchy.errors import GalleryError
from sketchy.inference.bundled import BUNDLED


@pytest.fixture
def made(dataset, trained, tmp_path):
    """An index of ten photos."""
    folder = dataset / "256x256" / "photo" / "tx_000000000000" / "disc"
    index.run([folder], str(tmp_path / "own.index"), trained / "tiny" / "best.pth")
    return tmp_path / "own.index"


def test_a_checkpoint_is_described(trained):
    found = info.run(str(trained / "tiny" / "best.pth"))
    assert (found.kind, found.format, found.problems) == ("checkpoint", 2, ())
    assert found.counts["categories"] == 4
    assert found.model["embedding_size"] == 16
    assert len(str(found.model["hash"])) == 64
    assert 0 < found.figures["val_map_all"] <= 1


def test_a_run_is_described_by_its_best_checkpoint(trained):
    found = info.run(str(trained / "tiny"))
    assert (found.kind, found.counts["epochs"], found.problems) == ("run", 8, ())
    assert found.model["hash"] == info.run(str(trained / "tiny" / "best.pth")).model["hash"]


def test_a_run_is_described_by_its_name_and_the_bundled_model_by_its_own(trained):
    assert info.run("tiny", runs=trained) == info.run(str(trained / "tiny"))
    found = info.run("bundled")
    assert (found.kind, found.path) == ("exported model", str(BUNDLED))


def test_a_name_of_nothing_is_refused_with_the_known_ones(trained):
    with pytest.raises(
        GalleryError, match=f"^bundeld is not an index, and no run called .* under {trained}; did you mean bund"
    ):
        info.run("bundeld", runs=trained)


def test_an_index_is_of_the_model_that_made_it(made, trained):
    found = info.run(str(made))
    assert found.model["hash"] == info.run(str(trained / "tiny")).model["hash"]
    assert found.counts == {"photos": 10, "pictures": 10, "categories": 1}


def test_what_is_missing_from_a_run_is_a_problem(trained, tmp_path):
    import shutil

    shutil.copytree(trained / "tiny", tmp_path / "run")
    (tmp_path / "run" / "history.csv").unlink()
    assert "cannot read" in info.run(str(tmp_path / "run")).problems[0]


def test_a_flipped_bit_is_found_and_the_exit_code_says_so(made):
    content = bytearray((made / "vectors-1.f32").read_bytes())
    content[333] ^= 1
    (made / "vectors-1.f32").write_bytes(content)
    shown = CliRunner().invoke(app, ["info", str(made), "--verify"])
    assert shown.exit_code == 1
    assert "vectors from row 0 on do not match their checksum" in shown.stdout
    assert CliRunner().invoke(app, ["info", str(made)]).exit_code == 0


def test_a_description_reads_as_lines(made):
    lines = CliRunner().invoke(app, ["info", str(made)]).stdout.splitlines()
    assert lines[0] == str(made)
    assert ["kind", "index,", "format", "2"] in [line.split() for line in lines]
