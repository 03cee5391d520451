"""The files of photos: downloaded alone or in a zip, and opened on the machine of the server."""

import shutil
import zipfile
from io import BytesIO

import pytest
from PIL import Image
from starlette.testclient import TestClient

from sketchy.web.app import create_app
from sketchy.web.limits import Limits

HERE = ("127.0.0.1", 50000)


def ids_of(client, count):
    drawing = BytesIO()
    picture = Image.new("L", (64, 64), 255)
    picture.paste(0, (20, 20, 40, 24))
    picture.save(drawing, "PNG")
    answer = client.post(f"/api/search?k={count}", content=drawing.getvalue())
    return [(hit["id"], hit["name"]) for hit in answer.json()["results"]]


@pytest.fixture
def launched():
    return []


@pytest.fixture
def client(index, launched):
    def launch(file, in_folder):
        launched.append((file, in_folder))
        return 0

    with TestClient(create_app(index, launch=launch), base_url="http://localhost:8000", client=HERE) as opened:
        yield opened


def test_the_original_file_is_downloaded_by_its_name(client, photos):
    photo, name = ids_of(client, 1)[0]
    answer = client.get(f"/api/photos/{photo}/file")
    path = client.get(f"/api/photos/{photo}/about").json()["path"]
    with open(path, "rb") as file:  # noqa: PTH123
        assert answer.content == file.read()
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.headers["content-type"] == "application/octet-stream"


def test_a_photo_is_described_with_its_size_and_its_copies(model, photos, tmp_path):
    for name in ("one.jpg", "two.jpg"):
        shutil.copy(photos / "bar" / "p1.jpg", tmp_path / name)
    with model.index(tmp_path) as index, TestClient(create_app(index), base_url="http://localhost") as client:
        [(photo, name)] = ids_of(client, 5)
        about = client.get(f"/api/photos/{photo}/about").json()
        other = {"one.jpg": "two.jpg", "two.jpg": "one.jpg"}[name]
        assert about["copies"] == [str(tmp_path / other)]
        assert (about["bytes"], about["width"], about["height"]) == ((tmp_path / name).stat().st_size, 48, 48)
        assert about["can_open"] is False
        (tmp_path / name).unlink()
        gone = client.get(f"/api/photos/{photo}/about").json()
        assert (gone["path"], gone["bytes"]) == (str(tmp_path / name), None)
        assert client.get(f"/api/photos/{photo}/file").status_code == 404


def test_several_photos_come_as_one_zip_in_which_names_are_distinct(client):
    found = ids_of(client, 40)  # ten names, in each of four categories
    answer = client.get("/api/zip", params={"id": [photo for photo, _ in [*found, found[0]]]})
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert len(set(archive.namelist())) == len(archive.namelist()) == 40
        assert archive.read(found[0][1]) == client.get(f"/api/photos/{found[0][0]}/file").content


def test_a_zip_is_bounded(index, client):
    photo = ids_of(client, 1)[0][0]
    assert client.get("/api/zip").status_code == 422
    assert client.get("/api/zip", params={"id": "../../etc"}).status_code == 422
    assert client.get("/api/zip", params={"id": 101 * [photo]}).status_code == 422
    assert client.get("/api/zip", params={"id": 24 * "0"}).status_code == 404
    with TestClient(create_app(index, limits=Limits(zip=100)), base_url="http://localhost") as bounded:
        answer = bounded.get("/api/zip", params={"id": ids_of(bounded, 1)[0][0]})
    assert answer.status_code == 413
    assert "at most 100 are put into a zip; choose fewer" in answer.json()["error"]


def test_a_photo_is_opened_and_shown_in_its_folder_on_this_machine(client, launched):
    photo = ids_of(client, 1)[0][0]
    about = client.get(f"/api/photos/{photo}/about").json()
    assert about["can_open"] is True
    assert client.post(f"/api/photos/{photo}/open").status_code == 204
    assert client.post(f"/api/photos/{photo}/open?where=folder").status_code == 204
    assert launched == [(about["path"], False), (about["path"], True)]


def test_nothing_is_opened_for_another_machine_or_another_site(index, client, launched):
    photo = ids_of(client, 1)[0][0]
    other_site = client.post(f"/api/photos/{photo}/open", headers={"Origin": "http://example.org"})
    assert other_site.status_code == 403
    app = create_app(index, launch=lambda *wanted: launched.append(wanted) or 0)
    for address in ("192.168.1.7", "testclient"):
        with TestClient(app, base_url="http://localhost", client=(address, 50000)) as remote:
            assert remote.get(f"/api/photos/{photo}/about").json()["can_open"] is False
            answer = remote.post(f"/api/photos/{photo}/open")
        assert answer.status_code == 403
        assert "download the photo instead" in answer.json()["error"]
    beyond = create_app(index, launch=lambda *wanted: launched.append(wanted) or 0, token="right")
    headers = {"cookie": "sketchy-80=right"}
    with TestClient(beyond, base_url="http://photos.home", client=HERE, headers=headers) as rebound:
        assert rebound.post(f"/api/photos/{photo}/open").status_code == 403
    assert launched == []


def test_a_machine_without_a_program_for_photos_says_so(index):
    with TestClient(create_app(index, launch=lambda *_: 1), base_url="http://localhost", client=HERE) as client:
        photo = ids_of(client, 1)[0][0]
        answer = client.post(f"/api/photos/{photo}/open?where=folder")
    assert (answer.status_code, answer.json()) == (503, {"error": "no file manager answers on this machine"})


def test_a_file_that_is_no_photo_any_more_is_not_sent(model, photos, tmp_path):
    shutil.copy(photos / "bar" / "p1.jpg", tmp_path / "one.jpg")
    with model.index(tmp_path) as index, TestClient(create_app(index), base_url="http://localhost") as client:
        photo = ids_of(client, 1)[0][0]
        (tmp_path / "one.jpg").write_bytes(b"a diary")
        answer = client.get(f"/api/photos/{photo}/file")
        zipped = client.get("/api/zip", params={"id": photo})
    assert answer.status_code == zipped.status_code == 404
    assert "is no photo any more" in answer.json()["error"]
