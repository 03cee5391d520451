import math

import pytest
from PIL import Image

from sketchy.errors import RunError, StorageError
from sketchy.results import EpochResult
from sketchy.trainer.history import History


def row(epoch: int, **columns: float) -> EpochResult:
    return EpochResult(epoch, {"loss": 1 / epoch, "val_map_all": epoch / 7, "learning_rate": 5e-7, **columns})


@pytest.fixture
def history(tmp_path) -> History:
    """Three epochs."""
    history = History(tmp_path / "history.csv")
    for epoch in (1, 2, 3):
        history.add(row(epoch))
    return history


def test_the_file_has_a_header_and_a_row_an_epoch(tmp_path):
    history = History(tmp_path / "history.csv")
    history.add(EpochResult(1, {"loss": 0.5, "val_p_at_1": 0.25}))
    history.add(EpochResult(2, {"loss": 0.25, "val_p_at_1": 1.0}))
    assert history.path.read_text() == "epoch,loss,val_p_at_1\n1,0.5,0.25\n2,0.25,1.0\n"


def test_the_file_is_whole_after_every_row(tmp_path):
    history = History(tmp_path / "history.csv")
    for epoch in (1, 2, 3):
        history.add(row(epoch))
        assert len(History.read(history.path, epoch).rows) == epoch
    assert list(tmp_path.iterdir()) == [history.path]


def test_what_is_read_back_is_exactly_what_was_added(history):
    assert History.read(history.path, 3).rows == history.rows
    assert History.read(history.path).rows == history.rows


def test_rows_of_work_that_was_not_saved_are_dropped(history):
    again = History.read(history.path, 2)
    assert [past.epoch for past in again.rows] == [1, 2]
    again.add(row(3))
    assert History.read(history.path, 3).rows == history.rows


def test_a_run_stopped_in_its_first_epoch_has_no_rows(history):
    assert History.read(history.path, 0).rows == []


def test_infinite_and_broken_figures_survive(tmp_path):
    history = History(tmp_path / "history.csv")
    history.add(row(1, plateau_ratio=math.inf, other=math.nan))
    columns = History.read(history.path, 1).rows[0].columns
    assert columns["plateau_ratio"] == math.inf
    assert math.isnan(columns["other"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "epoch,loss\n1,0.5\n",
        "epoch,loss\n1,0.5\n1,0.5\n2,0.5\n",
        "epoch,loss\n1,0.5\n2,oops\n3,0.1\n",
        "epoch,loss\n1,0.5\n2\n3,0.1\n",
        "epoch,loss\n1,0.5,7\n2,0.1,7\n3,0.1,7\n",
        "loss\n0.5\n0.4\n0.3\n",
        "epoch,loss\n1," + "5" * 200_000 + "\n",
    ],
)
def test_a_damaged_file_is_refused(tmp_path, text):
    path = tmp_path / "history.csv"
    path.write_text(text)
    with pytest.raises(RunError, match=r"history.csv.*restore it or start a new run"):
        History.read(path, 3)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RunError, match=r"cannot read .*history.csv"):
        History.read(tmp_path / "history.csv", 1)
    (tmp_path / "history.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunError, match=r"cannot read .*history.csv"):
        History.read(tmp_path / "history.csv", 1)


def test_a_row_that_cannot_be_written_leaves_the_file_as_it_was(history, monkeypatch):
    before = history.path.read_bytes()

    def refuse(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(history.path), "replace", refuse)
    with pytest.raises(StorageError, match="free some space"):
        history.add(row(4))
    assert history.path.read_bytes() == before


@pytest.mark.usefixtures("drawn_curves")
@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_the_curves_are_a_picture(tmp_path, epochs):
    history = History(tmp_path / "history.csv")
    for epoch in range(1, epochs + 1):
        history.add(row(epoch, positive_distance=math.nan, negative_distance=1.0))
    history.draw(tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        picture.load()
        assert picture.format == "PNG"
        assert picture.width > 2 * picture.height
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 2


@pytest.mark.usefixtures("drawn_curves")
def test_the_curves_show_the_figures(tmp_path):
    def drawn(name: str, value: float) -> bytes:
        history = History(tmp_path / f"{name}.csv", [row(1), row(2, loss=value)])
        history.draw(tmp_path / f"{name}.png")
        return (tmp_path / f"{name}.png").read_bytes()

    assert drawn("a", 0.5) == drawn("b", 0.5)
    assert drawn("a", 0.5) != drawn("c", 0.4)
