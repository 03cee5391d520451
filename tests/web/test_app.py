"""The API, without a network between."""

import hashlib
import os
import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from cachetools import LRUCache
from PIL import Image, ImageDraw
from pillow_heif import register_heif_opener
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from sketchy.config import Config
from sketchy.errors import DataError, GalleryError
from sketchy.results import Hit, Hits
from sketchy.retrieval.follow import Following
from sketchy.retrieval.model import EmbeddedImages
from sketchy.web.app import create_app
from sketchy.web.catalogue import Catalogue
from sketchy.web.limits import Limits

CATEGORIES = ("disc", "square", "bar", "cross")
ID = re.compile("[0-9a-f]{24}")


def drawn_disc() -> Image.Image:
    image = Image.new("L", (96, 96), 255)
    ImageDraw.Draw(image).ellipse((20, 20, 76, 76), outline=0, width=3)
    return image


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    file = BytesIO()
    image.save(file, kind)
    return file.getvalue()


@pytest.fixture
def sketch(dataset) -> bytes:
    return (dataset / "256x256" / "sketch" / "tx_000000000000" / "disc" / "p1-1.png").read_bytes()


DISC = encoded(drawn_disc())


@pytest.fixture
def client(index):
    with TestClient(create_app(index), base_url="http://localhost:8000") as opened:
        yield opened


class Blind:
    """A model for which all images are alike."""

    config = Config()
    calibration = None

    words = ()
    spatial = None

    def query(self, images, kind, names):
        return EmbeddedImages(np.zeros(4, np.float32), "sketch", is_single_mark=False)


class Shelf:
    """An index of the files that it is given, all of which every search finds."""

    name = "shelf"
    model = Blind()

    def __init__(self, *paths):
        self.paths = [str(path) for path in paths]

    def __len__(self):
        return len(self.paths)

    def photos(self):
        return ((path, None) for path in self.paths)

    def image(self, path):
        return Path(path)

    def copies(self, path):
        return []

    def find(self, query, request):
        return Hits(Hit(path, 0.5, None, (path,)) for path in self.paths)


class Spelled(Shelf):
    """A shelf whose photos are of one category, in two Unicode forms."""

    def photos(self):
        return zip(self.paths, ("caf\u00e9", "cafe\u0301"), strict=True)


def open_shelf(*paths, root=None):
    return TestClient(create_app(Shelf(*paths), root=root), base_url="http://localhost")


def first_photo(client, sketch, size=160):
    found = client.post("/api/search", content=sketch).json()["results"][0]
    return client.get(f"/api/photos/{found['id']}?size={size}")


def test_a_sketch_finds_photos(client, sketch):
    answer = client.post("/api/search?k=7", content=sketch)
    found = answer.json()["results"]
    assert [hit["rank"] for hit in found] == [1, 2, 3, 4, 5, 6, 7]
    assert [hit["distance"] for hit in found] == sorted(hit["distance"] for hit in found)
    assert set(found[0]) == {"rank", "id", "name", "distance", "category", "folder", "taken", "score"}
    assert found[0]["category"] in CATEGORIES
    assert found[0]["name"].endswith(".jpg")
    assert ID.fullmatch(found[0]["id"])


def test_a_line_is_answered_with_keep_drawing_and_a_sketch_with_none_or_that_nothing_fits(client, sketch):
    line = Image.new("L", (512, 512), 255)
    ImageDraw.Draw(line).line((50, 50, 400, 60), fill=0, width=10)
    answer = client.post("/api/search", content=encoded(line)).json()
    assert answer["advice"] == "keep drawing"
    assert answer["results"]
    assert client.post("/api/search", content=sketch).json()["advice"] in (None, "nothing fits well")
    assert client.post("/api/search?kind=photo", content=encoded(line)).json()["advice"] is None


def test_a_model_without_a_spatial_embedding_says_so_when_it_is_to_be_weighed(client, sketch):
    answer = client.post("/api/search?spatial_share=0.5", content=sketch)
    assert answer.status_code == 422
    assert "no spatial embedding to weigh" in answer.text


def test_a_form_and_other_formats_find_the_same(client, sketch):
    expected = client.post("/api/search", content=sketch).json()
    form = client.post("/api/search", files={"image": ("s.png", sketch, "image/png")})
    webp = encoded(Image.open(BytesIO(sketch)), "WEBP")
    assert form.json() == expected
    assert client.post("/api/search", content=webp).status_code == 200


def test_a_photo_finds_others_of_the_categories_asked_for(client, photos):
    photo = (photos / "bar" / "p3.jpg").read_bytes()
    answer = client.post("/api/search?kind=photo&category=bar&category=disc&k=30", content=photo).json()
    found = answer["results"]
    assert answer["kind"] == "photo"
    assert (found[0]["category"], found[0]["score"]) == ("bar", None)
    assert len(found) == 19
    assert ("p3.jpg", "bar") not in {(hit["name"], hit["category"]) for hit in found}
    assert {hit["category"] for hit in found} == {"bar", "disc"}
    one_known = client.post("/api/search?category=unheard&category=bar", content=photo).json()["results"]
    assert {hit["category"] for hit in one_known} == {"bar"}
    unknown = client.post("/api/search?category=Disk", content=photo)
    assert (unknown.status_code, unknown.json()) == (404, {"error": "no photo is of the category 'Disk'; try disc"})
    filtered = client.post("/api/search?kind=photo&category=disc&name=nothing", content=photo)
    assert (filtered.status_code, filtered.json()) == (200, {"results": [], "advice": None, "kind": "photo"})


@pytest.fixture
def named_client(named_index):
    with TestClient(create_app(named_index), base_url="http://localhost:8000") as opened:
        yield opened


def test_words_are_searched_with_and_without_a_drawing(named_client, sketch):
    answer = named_client.post("/api/search?text=kitten&k=5").json()
    assert answer["kind"] is None
    assert answer["results"][0]["category"] == "cross"
    assert all(hit["score"] is None for hit in answer["results"])
    both = named_client.post("/api/search?text=cookie&k=5", content=sketch).json()
    assert both["kind"] == "sketch"
    assert both["results"][0]["category"] == "disc"
    unknown = named_client.post("/api/search?text=lion")
    assert (unknown.status_code, unknown.json()) == (404, {"error": "'lion' is not known by name; try cat"})


def test_the_names_of_a_model_are_listed_as_people_write_them(named_client, client):
    assert named_client.get("/api/info").json()["words"] == ["bread", "cat", "cookie", "window"]
    assert client.get("/api/info").json()["words"] == []
    assert client.get("/api/info").json()["spatial_share"] is None


def test_photos_to_be_like_unlike_and_left_out_are_no_results(client):
    names = {name: client.post(f"/api/search?category={name}", content=DISC).json()["results"] for name in CATEGORIES}
    disc, bar, other = (names[name][0]["id"] for name in ("disc", "bar", "cross"))
    found = client.post(f"/api/search?like={disc}&like={bar}&unlike={other}&k=40").json()["results"]
    assert len(found) == 37
    assert not {disc, bar, other} & {hit["id"] for hit in found}
    hidden = client.post(f"/api/search?without={disc}&k=40", content=DISC).json()["results"]
    every = client.post("/api/search?k=40", content=DISC).json()["results"]
    assert [hit["id"] for hit in hidden] == [hit["id"] for hit in every if hit["id"] != disc]


def test_the_server_says_how_long_it_took(client, sketch):
    timing = client.post("/api/search", content=sketch).headers["server-timing"]
    assert re.fullmatch(r"queue;dur=[\d.]+, embed;dur=[\d.]+, search;dur=[\d.]+, total;dur=[\d.]+", timing)


REFUSED = [
    ("/api/search", b"", 400, "the request has no image"),
    ("/api/search", b"hello", 415, "not a PNG, JPEG, WebP, HEIC or AVIF"),
    ("/api/search", b"<svg xmlns='x'/>", 415, "not a PNG, JPEG, WebP, HEIC or AVIF"),
    ("/api/search", encoded(Image.new("L", (9, 9)), "TIFF"), 415, "not a PNG, JPEG, WebP, HEIC or AVIF"),
    ("/api/search", b"\x89PNG\r\n\x1a\nrest", 400, "cannot be read: broken"),
    ("/api/search", b"RIFF1234WAVEfmt ", 415, "not a PNG, JPEG, WebP, HEIC or AVIF"),
    ("/api/search", encoded(Image.new("L", (300, 300), 255)), 422, "blank"),
    ("/api/search", encoded(Image.effect_noise((99, 99), 99))[:2000], 422, "truncated"),
    ("/api/search?k=0", b"", 422, "k: Input should be greater than or equal to 1"),
    ("/api/search?k=101", b"", 422, "k: Input should be less than or equal to 100"),
    ("/api/search?spatial_share=2", b"", 422, "spatial_share: Input should be less than or equal to 1"),
    ("/api/search?k=x", b"", 422, "k: Input should be a valid integer"),
    ("/api/search?kind=poem", b"", 422, "kind: Input should be 'auto', 'photo' or 'sketch'"),
    ("/api/search?text=cat", b"", 404, "this model knows nothing by name; draw"),
    ("/api/search?text=", b"", 422, "text.0: String should have at least 1 character"),
    ("/api/search?" + 9 * "text=a&", b"", 422, "text: List should have at most 8"),
    ("/api/search?like=../a", b"", 422, "like.0: String should match"),
    ("/api/search?like=" + 24 * "0", b"", 404, "no photo has this id"),
    ("/api/search?text=cat&without=" + 24 * "0", b"", 404, "no photo has this id"),
    ("/api/search?text=cat&unlike=" + 24 * "0", b"", 404, "no photo has this id"),
    ("/api/search?unlike=../a", b"", 422, "unlike.0: String should match"),
    ("/api/search?" + 51 * "category=a&", b"", 422, "category: List should have at most 50"),
    ("/api/search?client=a/b", b"", 422, "client: String should match"),
]


@pytest.mark.parametrize("image_format", ["HEIF", "AVIF"])
def test_the_formats_of_phones_are_searched_and_converted_for_browsers(client, image_format):
    register_heif_opener()
    picture = encoded(Image.new("RGB", (64, 48), (200, 30, 30)), image_format)
    assert client.post("/api/search?kind=photo", content=picture).json()["results"]
    answer = client.post("/api/convert", content=picture)
    assert answer.headers["content-type"] == "image/jpeg"
    with Image.open(BytesIO(answer.content)) as opened:
        assert (opened.format, opened.size) == ("JPEG", (64, 48))
    assert client.post("/api/convert", content=picture[:200]).status_code in (400, 422)
    assert client.post("/api/convert", content=b"hello").status_code == 415


@pytest.mark.parametrize(("address", "body", "status", "message"), REFUSED, ids=lambda value: str(value)[:30])
def test_what_cannot_be_searched_is_told_in_one_line(client, address, body, status, message):
    answer = client.post(address, content=body)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert message in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_forms_without_an_image_are_told_to_the_client_only(client, caplog):
    empty = client.post("/api/search", data={"a": "b"}, files={})
    no_file = client.post("/api/search", files={"image": (None, "text")})
    headers = {"content-type": "multipart/form-data"}
    broken = client.post("/api/search", content=b"--", headers=headers)
    malformed = client.post(
        "/api/search", content=b"--b\nx", headers={"content-type": "multipart/form-data; boundary=b"}
    )
    two = client.post("/api/search", files=[("image", ("1", b"x")), ("image", ("2", b"x"))])
    assert empty.status_code == 415
    assert "holds no file" in no_file.json()["error"]
    assert "boundary" in broken.json()["error"]
    assert malformed.status_code == 400
    assert not caplog.records
    assert "Too many files" in two.json()["error"]


def test_large_bodies_are_refused_before_they_are_read(index, sketch):
    app = create_app(index, limits=Limits(body=1000))
    with TestClient(app, base_url="http://localhost") as client:
        told = client.post("/api/search", content=bytes(1001))
        streamed = client.post("/api/search", content=iter([bytes(600), bytes(600)]))
    assert [told.status_code, streamed.status_code] == [413, 413]
    assert told.json() == streamed.json() == {"error": "the body is too large; at most 1,000 bytes are taken"}


def test_pictures_of_many_pixels_are_refused_undecoded(client):
    bomb = encoded(Image.new("1", (6000, 5000)))
    assert len(bomb) < 100_000
    answer = client.post("/api/search", content=bomb)
    assert answer.status_code == 413
    assert "6000x5000 pixels, at most 24,000,000" in answer.json()["error"]


def test_photos_come_in_sizes_and_are_kept(client, sketch):
    small, large = first_photo(client, sketch, 160), first_photo(client, sketch, 640)
    assert small.headers["content-type"] == "image/jpeg"
    with Image.open(BytesIO(small.content)) as image:
        assert image.format == "JPEG"
        assert image.size == (48, 48)  # never enlarged
    assert small.headers["etag"] != large.headers["etag"]
    again = client.get(small.request.url, headers={"if-none-match": small.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first_photo(client, sketch, 161).json() == {
        "error": "size: Input should be 160, 320, 640, 1280 or 2560",
    }


def test_large_photos_are_shrunk_and_lose_where_they_were_taken(tmp_path):
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 255, (500, 1000, 3), np.uint8))
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 24.0)}
    photo.save(tmp_path / "a.jpg", exif=exif)
    with open_shelf(tmp_path / "a.jpg") as client:
        sent = first_photo(client, encoded(photo), 320)
    with Image.open(BytesIO(sent.content)) as image:
        assert image.size == (320, 160)
        assert not image.getexif()


def test_photos_are_sent_in_the_colours_that_their_profile_gives_them(tmp_path, profiles):
    photo = Image.new("RGB", (64, 64), (200, 100, 50))
    photo.save(tmp_path / "a.png", icc_profile=profiles["swapped"])
    with open_shelf(tmp_path / "a.png") as client:
        sent = first_photo(client, encoded(photo), 320)
    with Image.open(BytesIO(sent.content)) as image:
        assert "icc_profile" not in image.info
        np.testing.assert_allclose(image.getpixel((32, 32)), (46, 201, 100), atol=4)


def test_the_place_of_a_photo_is_told(client, sketch, photos):
    found = client.post("/api/search", content=sketch).json()["results"][0]
    about = client.get(f"/api/photos/{found['id']}/about").json()
    path = photos / found["category"] / found["name"]
    assert about == {
        "id": found["id"],
        "name": found["name"],
        "path": str(path),
        "bytes": path.stat().st_size,
        "width": 48,
        "height": 48,
        "copies": [],
        "can_open": False,
    }


@pytest.mark.parametrize(
    "photo",
    ["0" * 24, "..%2f..%2fetc%2fpasswd", "../../etc/passwd", "%2fetc%2fpasswd", "0" * 23, "0" * 25, "%00", "%ff"],
)
def test_ids_that_are_none_reach_no_file(client, photo, monkeypatch):
    monkeypatch.setattr("sketchy.web.catalogue.Path.resolve", lambda *_, **__: pytest.fail("a path was looked at"))
    answer = client.get(f"/api/photos/{photo}")
    assert answer.status_code in (404, 422)
    assert "error" in answer.json()


def test_links_out_of_the_gallery_are_not_served(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    (inside / "deep").mkdir(parents=True)
    outside.mkdir()
    picture = Image.new("RGB", (20, 20), "red")
    for path in (outside / "secret.jpg", inside / "open.jpg", inside / "deep" / "own.jpg"):
        picture.save(path)
    (inside / "link.jpg").symlink_to(outside / "secret.jpg")
    (inside / "folder").symlink_to(outside)
    (inside / "own.jpg").symlink_to(inside / "deep" / "own.jpg")
    paths = ["link.jpg", "folder/secret.jpg", "open.jpg", "own.jpg"]
    for root in (inside, None):
        with open_shelf(*(inside / path for path in paths), root=root) as client:
            found = client.post("/api/search", content=encoded(picture)).json()["results"]
            answers = [client.get(f"/api/photos/{hit['id']}").status_code for hit in found]
        assert answers == [403, 403, 200, 200]


def test_a_collection_that_is_itself_behind_a_link_is_served(tmp_path):
    (tmp_path / "disk").mkdir()
    Image.new("RGB", (20, 20)).save(tmp_path / "disk" / "a.jpg")
    (tmp_path / "Pictures").symlink_to(tmp_path / "disk")
    for root in (tmp_path / "Pictures", None):
        with open_shelf(tmp_path / "Pictures" / "a.jpg", root=root) as client:
            assert first_photo(client, encoded(Image.new("L", (9, 9)))).status_code == 200


def test_photos_that_vanish_break_or_become_something_else_are_told(tmp_path):
    names = ["gone.jpg", "text.jpg", "pipe.jpg", "folder.jpg", "loop.jpg"]
    (tmp_path / "text.jpg").write_text("root:x:0:0")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    with open_shelf(*(tmp_path / name for name in names)) as client:
        found = client.post("/api/search", content=encoded(Image.new("L", (9, 9)))).json()["results"]
        answers = [client.get(f"/api/photos/{hit['id']}") for hit in found]
    assert [answer.status_code for answer in answers] == [404] * 5
    assert b"root:x" not in b"".join(answer.content for answer in answers)


def test_photos_in_an_archive_are_served_from_their_content(tmp_path, monkeypatch):
    monkeypatch.setattr(Shelf, "image", lambda self, path: encoded(Image.new("RGB", (30, 20))))
    with open_shelf("/data/all.zip/photo/a.jpg") as client:
        assert first_photo(client, encoded(Image.new("L", (9, 9)))).status_code == 200


def test_photos_that_the_gallery_cannot_give_are_told(monkeypatch):
    def fail(self, path):
        raise DataError("the archive is gone")

    monkeypatch.setattr(Shelf, "image", fail)
    with open_shelf("/data/all.zip/photo/a.jpg") as client:
        assert first_photo(client, encoded(Image.new("L", (9, 9)))).json() == {
            "error": "this photo cannot be read any more"
        }


def test_a_photo_that_left_the_index_is_told(index, sketch, monkeypatch):
    with TestClient(create_app(index), base_url="http://localhost") as client:
        monkeypatch.setattr(index._store, "get", lambda paths: {})
        assert first_photo(client, sketch).json() == {"error": "this photo has left the gallery"}


def test_names_that_are_no_utf_8_are_shown(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    with open(path, "wb") as file:  # noqa: PTH123 - a name of bytes
        file.write(encoded(Image.new("RGB", (9, 9)), "JPEG"))
    with open_shelf(os.fsdecode(path)) as client:
        found = client.post("/api/search", content=encoded(Image.new("L", (9, 9)))).json()["results"]
        assert found[0]["name"] == "caf\ufffd.jpg"
        assert client.get(f"/api/photos/{found[0]['id']}").status_code == 200
        assert client.get(f"/api/photos/{found[0]['id']}/about").json()["path"].endswith("caf\ufffd.jpg")


def test_a_thumbnail_that_was_made_is_not_made_again(tmp_path, monkeypatch):
    photo = tmp_path / "a.jpg"
    Image.new("RGB", (20, 20)).save(photo)
    with open_shelf(photo) as client:
        first = first_photo(client, encoded(Image.new("L", (9, 9))))
        monkeypatch.setattr("sketchy.web.thumbnails._render", lambda *_: pytest.fail("made again"))
        assert first_photo(client, encoded(Image.new("L", (9, 9)))).content == first.content
        monkeypatch.undo()
        Image.new("RGB", (40, 40), "blue").save(photo)
        assert first_photo(client, encoded(Image.new("L", (9, 9)))).content != first.content


def test_only_so_many_bytes_of_thumbnails_are_kept(tmp_path):
    paths = []
    for number in range(4):
        paths.append(tmp_path / f"{number}.jpg")
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (99, 99, 3), np.uint8)).save(paths[-1])
    with open_shelf(*paths) as client:
        thumbnails = client.app.state.service.thumbnails
        thumbnails._cache = LRUCache(20_000, getsizeof=len)
        for hit in client.post("/api/search", content=encoded(Image.new("L", (9, 9)))).json()["results"]:
            client.get(f"/api/photos/{hit['id']}")
        assert 0 < sum(map(len, thumbnails._cache.values())) <= 20_000


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "", "192.168.1.7", "[::2]", "[x"])
def test_other_names_are_not_answered_on_loopback(client, host):
    answer = client.get("/api/info", headers={"host": host})
    assert answer.status_code == 400
    assert answer.text == "Invalid host header"
    assert "default-src" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:8000", "localhost:8000"])
def test_names_of_this_machine_are_answered(client, host):
    assert client.get("/healthz", headers={"host": host}).json() == {"status": "ok"}


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://[", "http://localhost:8001"])
def test_other_sites_may_not_ask(client, sketch, origin):
    answer = client.post("/api/search", content=sketch, headers={"origin": origin})
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_own_page_may_ask(client, sketch):
    headers = {"origin": "http://localhost:8000"}
    assert client.post("/api/search", content=sketch, headers=headers).status_code == 200


@pytest.mark.parametrize("address", ["/", "/docs", "/api/info", "/static/style.css", "/nothing", "/api/photos/x"])
def test_every_answer_forbids_what_the_page_does_not_need(client, address):
    headers = client.get(address).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"


def test_what_is_served_is_told(client, photos):
    told = client.get("/api/info").json()
    assert told["photos"] == 40
    assert told["categories"] == [{"name": name, "photos": 10} for name in ("bar", "cross", "disc", "square")]
    assert told["has_scores"] is True
    assert told["limits"] == {"body": 16_000_000, "pixels": 24_000_000, "k": 100}


@pytest.mark.parametrize(("method", "address", "status"), [("GET", "/nothing", 404), ("PUT", "/healthz", 405)])
def test_routes_that_are_none_answer_in_json(client, method, address, status):
    answer = client.request(method, address)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]


def test_the_page_can_be_asked_for_its_head_only(client):
    assert client.head("/").status_code == 200
    assert client.head("/").content == b""


@pytest.mark.parametrize("path", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "/etc/passwd", "."])
def test_static_files_are_only_those_of_the_page(client, path):
    assert client.get(f"/static/{path}").status_code in (404, 405)


def test_a_fault_of_ours_is_one_line_too(index, sketch, monkeypatch):
    monkeypatch.setattr(index, "find", lambda *_: 1 / 0)
    app = create_app(index)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        answer = client.post("/api/search", content=sketch)
    assert answer.status_code == 500
    assert list(answer.json()) == ["error"]
    assert answer.headers["content-security-policy"]


def test_a_gallery_that_broke_is_told(index, sketch, monkeypatch):
    def fail(*_):
        raise GalleryError("the index is damaged; make it anew")

    monkeypatch.setattr(index, "find", fail)
    with TestClient(create_app(index), base_url="http://localhost") as client:
        answer = client.post("/api/search", content=sketch)
    assert (answer.status_code, answer.json()) == (503, {"error": "the index is damaged; make it anew"})


def test_others_are_answered_while_the_network_works(index, sketch, monkeypatch):
    go, started = threading.Event(), threading.Event()
    find = index.find

    def slow(*wanted):
        started.set()
        assert go.wait(10)
        return find(*wanted)

    monkeypatch.setattr(index, "find", slow)
    with TestClient(create_app(index), base_url="http://localhost") as client, ThreadPoolExecutor() as pool:
        running = pool.submit(client.post, "/api/search", content=sketch)
        assert started.wait(10)
        assert client.get("/healthz").status_code == 200
        old = pool.submit(client.post, "/api/search?client=a", content=sketch)
        while not client.app.state.service.queue._waiting:
            pass
        new = pool.submit(client.post, "/api/search?client=a", content=sketch)
        assert old.result(10).json() == {"error": "superseded by a newer query of the same client"}
        go.set()
        assert [running.result(10).status_code, new.result(10).status_code] == [200, 200]


class Half:
    """A follower half-way through an update."""

    state = Following(True, 5, 10, 2.5, "caf\udce9: cannot be read", 1, 3)
    first = nullcontext


def test_the_state_of_the_index_is_told(client, index, photos, sketch):
    assert client.get("/api/status").json() == {"photos": 40, "updates": 0, "indexing": None}
    with TestClient(create_app(index, follower=Half()), base_url="http://localhost:8000") as opened:
        told = opened.get("/api/status").json()
        assert len(opened.post("/api/search", content=sketch).json()["results"]) == 10
    error = "caf\ufffd: cannot be read"
    indexing = {"running": True, "done": 5, "total": 10, "seconds_left": 2.5, "error": error, "unreadable": 3}
    assert told == {"photos": 40, "updates": 1, "indexing": indexing}


def test_categories_of_photos_that_came_later_are_told(model, photos, tmp_path):
    shutil.copytree(photos / "disc", tmp_path / "photo" / "tx_000000000000" / "disc")
    with (
        model.index(tmp_path / "photo" / "tx_000000000000", tmp_path / "own.index") as index,
        TestClient(create_app(index), base_url="http://localhost:8000") as client,
    ):
        assert [category["name"] for category in client.get("/api/info").json()["categories"]] == ["disc"]
        shutil.copytree(photos / "bar", tmp_path / "photo" / "tx_000000000000" / "bar")
        index.update()
        assert [category["name"] for category in client.get("/api/info").json()["categories"]] == ["bar", "disc"]


def test_the_index_may_grow_while_it_is_served(tmp_path, photos):
    paths = [tmp_path / "a.jpg"]
    shutil.copy(photos / "disc" / "p1.jpg", paths[0])
    shelf = Shelf(*paths)
    with TestClient(create_app(shelf), base_url="http://localhost") as client:
        shelf.paths.insert(0, str(shutil.copy(paths[0], tmp_path / "new.jpg")))
        assert first_photo(client, paths[0].read_bytes()).status_code == 200


def test_photos_of_a_huge_gallery_get_their_ids_when_they_are_found(photos):
    paths = [photos / "disc" / "p1.jpg", photos / "disc" / "p2.jpg"]
    catalogue = Catalogue(Shelf(*paths), photos, preloaded=1)
    known, found = (hashlib.blake2b(bytes(path), digest_size=12).hexdigest() for path in paths)
    assert catalogue.path_of(known) == str(paths[0])
    with pytest.raises(HTTPException, match="no photo has this id"):
        catalogue.path_of(found)
    assert catalogue.id_of(str(paths[1])) == found
    assert catalogue.file_of(found) == paths[1]


def test_the_api_describes_itself_without_other_hosts(client):
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {
        "/api/search",
        "/api/photos/{photo}",
        "/api/photos/{photo}/about",
        "/api/photos/{photo}/file",
        "/api/photos/{photo}/open",
        "/api/zip",
        "/api/convert",
        "/api/info",
        "/api/status",
        "/healthz",
    }
    assert "multipart/form-data" in described["paths"]["/api/search"]["post"]["requestBody"]["content"]
    assert "http" not in client.get("/docs").text.replace("http://www.w3.org/2000/svg", "")


def test_two_unicode_spellings_are_one_category(tmp_path):
    client = TestClient(create_app(Spelled("/p/1.jpg", "/p/2.jpg")), base_url="http://localhost")
    assert client.get("/api/info").json()["categories"] == [{"name": "caf\u00e9", "photos": 2}]


def test_a_library_is_narrowed_to_folders_dates_and_names(model, photos, tmp_path):
    for folder in ("Holiday/2023", "Work/2023"):
        shutil.copytree(photos / "disc", tmp_path / "Pictures" / folder)
    save = tmp_path / "Pictures" / "Work" / "2023" / "p1.jpg"
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2019:05:06 07:08:09"
    Image.open(save).save(save, exif=exif)
    query = (photos / "disc" / "p1.jpg").read_bytes()
    with (
        model.index(tmp_path / "Pictures", tmp_path / "own.index") as index,
        TestClient(create_app(index), base_url="http://localhost:8000") as client,
    ):
        told = client.get("/api/info").json()
        assert told["categories"] == []
        assert {each["name"]: each["photos"] for each in told["folders"]} == {
            "Holiday": 10, "Holiday/2023": 10, "Work": 10, "Work/2023": 10,
        }  # fmt: skip

        def search(**filters):
            return client.post("/api/search", params={"kind": "photo", "k": 50, **filters}, content=query)

        (dated,) = search(until="2019", name="P1.*", folder="Work/2023").json()["results"]
        assert (dated["category"], dated["folder"], dated["taken"]) == (None, "Work/2023", "2019-05-06T07:08:09")
        answer = search(folder="2023")
        assert (answer.status_code, answer.json()["error"]) == (
            404,
            "no photo is in a folder '2023'; try Work/2023, Holiday/2023",
        )
        assert search(since="2019-13").status_code == 422
