import os
import shutil

import numpy as np
import pytest

from sketchy.commands import embed
from sketchy.errors import DataError, StorageError
from sketchy.inference.bundled import BUNDLED


def test_files_and_folders_become_an_npz(trained, dataset, tmp_path):
    folder = dataset / "256x256" / "photo" / "tx_000000000000" / "disc"
    single = dataset / "256x256" / "photo" / "tx_000000000000" / "bar" / "p3.jpg"
    made = embed.run([folder, single], "photo", tmp_path / "new" / "out.npz", trained / "tiny" / "best.pth")
    with np.load(tmp_path / "new" / "out.npz") as saved:
        assert saved["paths"].shape == (11,)
        assert saved["paths"][-1] == str(single)
        assert saved["embeddings"].shape == (11, 16)
        assert saved["embeddings"].dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(saved["embeddings"], axis=1), 1, rtol=1e-5)
    assert (made.count, made.embedding_size) == (11, 16)


def test_broken_images_are_skipped_and_counted(trained, dataset, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    sketch = next((dataset / "256x256" / "sketch").rglob("*.png"))
    made = embed.run([tmp_path / "broken.png", sketch], "sketch", tmp_path / "out.npz", trained / "tiny" / "best.pth")
    assert made.count == 1
    assert [item.path for item in made.skipped] == [str(tmp_path / "broken.png")]


def test_a_pipe_in_a_folder_is_not_waited_for(trained, photos, tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    made = embed.run([photos, tmp_path], "photo", tmp_path / "out.npz", trained / "tiny" / "best.pth")
    assert made.count == 40
    assert [item.reason for item in made.skipped] == ["is not a regular file"]


def test_a_folder_without_images_is_an_error(trained, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no images below .*empty; name image files"):
        embed.run([tmp_path / "empty"], "photo", tmp_path / "out.npz", trained / "tiny" / "best.pth")


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    with pytest.raises(StorageError, match="it is a folder"):
        embed.run([], "photo", tmp_path, tmp_path / "never-read.pth")


def test_what_a_folder_holds_besides_is_counted(trained, dataset, tmp_path):
    shutil.copytree(dataset / "256x256" / "photo" / "tx_000000000000" / "disc", tmp_path / "disc")
    (tmp_path / "disc" / "a.psd").write_bytes(b"x")
    made = embed.run([tmp_path / "disc"], "photo", tmp_path / "out.npz", trained / "tiny" / "best.pth")
    assert (made.count, made.left_out) == (10, {".psd": 1})


def test_files_of_other_kinds_are_named_when_asked(trained, photos, tmp_path, logged):
    shutil.copytree(photos / "disc", tmp_path / "disc")
    (tmp_path / "disc" / "a.psd").write_bytes(b"x")
    arguments = [tmp_path / "disc"], "photo", tmp_path / "out.npz", trained / "tiny" / "best.pth"
    embed.run(*arguments)
    assert "a.psd" not in logged.text
    embed.run(*arguments, name_left_out=True)
    assert f"leaving out {tmp_path}/disc/a.psd: .psd" in logged.messages


def test_an_image_that_is_named_twice_is_embedded_once(trained, photos, tmp_path):
    disc = photos / "disc"
    made = embed.run([disc, disc / "p1.jpg", disc], "photo", tmp_path / "out.npz", trained / "tiny" / "best.pth")
    assert made.count == 10


def test_a_folder_that_cannot_be_listed_is_told_with_the_reason(open_folder, as_nobody, tmp_path):
    (open_folder / "mine").mkdir(mode=0o700)
    out = open_folder / "out.npz"
    open_folder.chmod(0o777)
    with as_nobody(), pytest.raises(DataError, match=r"no images below .*mine; .*mine: permission denied; name image"):
        embed.run([open_folder / "mine"], "photo", out, BUNDLED)


def test_nothing_to_embed_is_an_error_and_writes_nothing(trained, tmp_path):
    with pytest.raises(DataError, match=r"no image could be embedded; .*missing.png: no such file"):
        embed.run([tmp_path / "missing.png"], "photo", tmp_path / "out.npz", trained / "tiny" / "best.pth")
    assert not (tmp_path / "out.npz").exists()
