import re
from html.parser import HTMLParser
from importlib.resources import files
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from sketchy.errors import ImageError, StorageError
from sketchy.evaluation.evaluate import EvaluationDetails
from sketchy.evaluation.page import About, amount, percent, times, write_page
from sketchy.evaluation.protocol import Queries, score, summarize
from sketchy.results import EpochResult

VOID = {"meta", "img", "wbr"}


class Reader(HTMLParser):
    """Elements with their attributes and the text in them, in order; checks that tags nest."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.words = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self):
        return " ".join("".join(self.words).replace("\N{NO-BREAK SPACE}", " ").split())


class FakeData:
    """Images that are plain squares in the colour of their row."""

    def __init__(self, names, rows, broken=()):
        self.broken = broken
        records = [SimpleNamespace(name=f"photo/{row}.jpg") for row in range(rows)]
        self.pack = SimpleNamespace(categories=names, photo_records=records, sketch_records=records)

    def photo_file(self, row):
        if row in self.broken:
            raise ImageError("no such file")
        content = BytesIO()
        Image.new("RGB", (128, 128), (row * 37 % 256, row * 91 % 256, row * 53 % 256)).save(content, "PNG")
        return content.getvalue()

    def photo_path(self, row):
        return f"/data/{row}"

    sketch_file, sketch_path = photo_file, photo_path


def evaluated(names, *, photos=3, sketches=2, protocol="all", query_categories=None, traced=True):
    """Queries that lie near the photos of their category, each tracing the category's first photo."""
    generator = torch.Generator().manual_seed(0)
    gallery_categories = torch.arange(len(names)).repeat_interleave(photos)
    if query_categories is None:
        query_categories = torch.arange(len(names)).repeat_interleave(sketches)
    centres = torch.randn(len(names) + 1, 8, generator=generator)
    gallery = centres[gallery_categories] + torch.randn(len(gallery_categories), 8, generator=generator)
    instances = query_categories * photos if traced else torch.full_like(query_categories, -1)
    embeddings = centres[query_categories] + torch.randn(len(query_categories), 8, generator=generator)
    queries = Queries(embeddings, query_categories, instances)
    scores = score(queries, gallery, gallery_categories)
    all_names = (*names, "none")
    evaluation = summarize(scores, queries, gallery_categories, all_names, protocol)
    subset = SimpleNamespace(photos=np.arange(len(gallery)), sketches=np.arange(len(queries.embeddings)))
    details = EvaluationDetails(evaluation, scores, queries, subset, gallery, gallery_categories)
    return details, FakeData(all_names, max(len(gallery), len(embeddings)))


def written(tmp_path, details, data, about=None):
    write_page(details, data, tmp_path / "report", about or About("A report"))
    text = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    return text, Reader(text)


def test_the_page_has_its_parts_in_order(tmp_path):
    _, page = written(tmp_path, *evaluated(("ant", "bee", "cat", "dog")))
    text = page.text()
    parts = [
        "A report Each of 8 sketches ranks a gallery of 12 photos of 4 categories; relevant is every photo",
        "No sketch was left out.",
        "Metrics",
        "Precision and recall",
        "By category: mAP@all",
        "Embedding map",
        "Confusion of categories",
        "Best sketches",
        "Worst sketches",
    ]
    assert sorted(parts, key=text.index) == parts


def test_every_metric_stands_beside_its_chance_and_how_often_it_beats_it(tmp_path):
    details, data = evaluated(("ant", "bee", "cat", "dog"))
    _, page = written(tmp_path, details, data)
    metrics, chance = details.evaluation.metrics, details.evaluation.chance
    for key, label in (("map_all", "mAP@all"), ("p_at_5", "P@5"), ("instance_r_at_1", "instance R@1")):
        row = rf"{label} [a-z0-9 ]+ {percent(metrics[key])} {percent(chance[key])} {times(metrics[key], chance[key])}"
        assert re.search(row.replace("\N{NO-BREAK SPACE}", " "), page.text())


def test_the_page_tells_the_facts_the_settings_and_the_learning_curves(tmp_path):
    history = [EpochResult(epoch, {"loss": 2 / epoch, "val_map_all": epoch / 4}) for epoch in (1, 2)]
    settings = {"data.root": "a <b>", "image.std": [0.5, 0.5], "train.patience": None}
    about = About("A report", {"evaluated": "2024-05-06 07:08"}, settings, history)
    text = written(tmp_path, *evaluated(("ant", "bee")), about)[1].text()
    for part in (
        "evaluated 2024-05-06 07:08",
        "data.root a <b> image.std [0.5, 0.5] train.patience null",
        "Learning curves The 2 epochs of the training",
        "loss 1.000",
        "mAP@all 0.500",
    ):
        assert part in text
    bare = written(tmp_path, *evaluated(("ant", "bee")))[1].text()
    assert "Settings" not in bare
    assert "Learning curves" not in bare


def test_the_embedding_map_names_few_categories_and_many_only_where_one_points(tmp_path):
    few, page = written(tmp_path, *evaluated(("ant", "bee")))
    assert 'class="map"' in few
    assert sum(group.get("class") == "cluster" for group in page.all("g")) == 2
    assert "10 images on the two principal axes" in page.text()
    many, _ = written(tmp_path, *evaluated(tuple(f"kind {number}" for number in range(31))))
    assert 'class="map many"' in many


def test_the_page_has_the_colours_and_type_of_the_search_page(tmp_path):
    text, _ = written(tmp_path, *evaluated(("ant", "bee")))
    style = files("sketchy.web").joinpath("static/style.css").read_text()
    own, other = (dict(re.findall(r"--([a-z]+): ([^;]+);", css.partition("}")[0])) for css in (text, style))
    shared = own.keys() & other.keys()
    assert {"ground", "ink", "accent", "serif", "sans"} <= shared
    assert {name: own[name] for name in shared} == {name: other[name] for name in shared}


def test_nothing_is_asked_of_another_file_or_host(tmp_path):
    text, page = written(tmp_path, *evaluated(("ant", "bee")))
    assert page.all("img")
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.all("img"))
    assert not {tag for tag, _ in page.elements} & {"script", "link", "iframe", "object", "image", "use"}
    assert not any("href" in attributes for _, attributes in page.elements)
    assert not re.search(r"https?://|url\(|@import", text)
    assert "default-src 'none'" in text


def test_the_page_speaks_to_those_who_do_not_see_it(tmp_path):
    _, page = written(tmp_path, *evaluated(("ant", "bee", "cat")))
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == len(page.all("main")) == 1
    assert all(head["scope"] in ("row", "col") for head in page.all("th"))
    assert {image["alt"] for image in page.all("img")} <= {
        f"{kind} of {name}" for kind in ("photo", "sketch") for name in ("ant", "bee", "cat")
    }
    assert all("aria-label" in drawing or "aria-hidden" in drawing for drawing in page.all("svg"))
    assert re.search(r"1 ✓ right: (ant|bee|cat) traced 2 ✓ right: ", page.text())
    assert re.search(r" 9 ✗ wrong: (ant|bee|cat)\b", page.text())


def test_the_category_protocol_says_nothing_of_traced_photos(tmp_path):
    _, page = written(tmp_path, *evaluated(("ant", "bee", "cat"), protocol="category"))
    assert "traced" not in page.text()
    assert "instance" not in page.text()
    assert "Precision and recall" in page.text()


def test_the_instance_protocol_shows_only_what_it_measured(tmp_path):
    details, data = evaluated(("ant", "bee", "cat"), protocol="instance")
    _, page = written(tmp_path, details, data)
    text = page.text()
    assert "relevant is only the photo that it traces. No sketch was left out." in text
    assert "By category: instance R@1" in text
    assert "traced photo at rank" in text
    for absent in ("mAP", "P@1 ", "Precision", "average precision", "Confusion of categories"):
        assert absent not in text


def test_instance_figures_are_left_out_when_no_traced_photo_is_there(tmp_path):
    _, page = written(tmp_path, *evaluated(("ant", "bee"), traced=False))
    assert "instance" not in page.text()
    assert "traced" not in page.text()


def test_sketches_that_were_left_out_are_counted(tmp_path):
    categories = torch.tensor([0, 1, 2])
    _, page = written(tmp_path, *evaluated(("ant", "bee"), query_categories=categories, traced=False))
    assert "Each of 2 sketches ranks a gallery of 6 photos of 2 categories" in page.text()
    assert "Left out: 1 sketch without a photo of the category in the gallery." in page.text()
    assert "none" not in page.text()


@pytest.mark.parametrize("protocol", ["all", "category", "instance"])
def test_a_page_of_nothing_measured_says_so(tmp_path, protocol):
    details = evaluated(("ant",), query_categories=torch.tensor([1]), traced=False, protocol=protocol)
    _, page = written(tmp_path, *details)
    assert "Nothing was measured" in page.text()
    assert not page.all("table")
    assert not page.all("img")


@pytest.mark.parametrize("protocol", ["all", "category", "instance"])
def test_one_category_with_one_photo_and_one_sketch_is_enough(tmp_path, protocol):
    _, page = written(tmp_path, *evaluated(("ant",), photos=1, sketches=1, protocol=protocol))
    assert "Each of 1 sketch ranks a gallery of 1 photo of 1 category" in page.text()
    assert "Confusion of categories" not in page.text()
    assert len(page.all("img")) == 2


def test_a_gallery_smaller_than_ten_names_its_size(tmp_path):
    _, page = written(tmp_path, *evaluated(("ant", "bee")))
    assert "nearest photos, as many as its own category has, at most 6." in page.text()


def test_names_and_titles_cannot_break_the_page(tmp_path):
    names = ("<b>ant</b>", 'a "bee" & co', "ご飯_été")
    details, data = evaluated(names)
    text, page = written(tmp_path, details, data, About("<script>alert(1)</script>"))
    assert not page.all("b")
    assert not page.all("script")
    for name in (*names, "<script>alert(1)</script>"):
        assert name in page.text()
    assert 'sketch of a "bee" & co' in {image["alt"] for image in page.all("img")}
    assert text.startswith("<!doctype html>")


def test_a_name_that_is_not_unicode_does_not_stop_the_page(tmp_path):
    _, page = written(tmp_path, *evaluated(("caf\udce9", "bee")))
    assert "caf?" in page.text()


def test_a_vanished_photo_leaves_an_empty_tile(tmp_path):
    details, data = evaluated(("ant", "bee"))
    data.broken = (0,)
    _, page = written(tmp_path, details, data)
    assert "file cannot be read" in page.text()
    tiles = [drawn["aria-label"] for drawn in page.all("div") if drawn.get("class") == "gone"]
    assert set(tiles) == {
        "sketch of ant, but the file cannot be read",
        "photo of ant, but the file cannot be read",
    }


def test_125_categories_stay_small_and_whole(tmp_path):
    names = tuple(f"category_{number:03}" for number in range(125))
    text, page = written(tmp_path, *evaluated(names, photos=4, sketches=4))
    assert len(text) < 1_500_000
    bars = next(attributes for attributes in page.all("ol") if attributes.get("class") == "bars")
    assert bars
    assert sum(attributes.get("class") == "row" for attributes in page.all("g")) == 125
    assert len(page.all("article")) == 16
    assert len(page.all("img")) == 16 * 11


def test_an_earlier_page_is_replaced_and_nothing_else_is_left(tmp_path):
    details, data = evaluated(("ant", "bee"))
    first, _ = written(tmp_path, details, data)
    assert written(tmp_path, details, data)[0] == first
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["index.html"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "report").write_text("a file")
    with pytest.raises(StorageError, match="report"):
        write_page(*evaluated(("ant",)), tmp_path / "report", About("A report"))


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0.0 %"), (1, "100.0 %"), (0.5, "50.0 %"), (0.01, "1.0 %"), (0.00999, "1.00 %"), (0.0004, "0.04 %")],
)
def test_small_shares_get_a_second_decimal(share, text):
    assert percent(share).replace("\N{NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("value", "chance", "text"),
    [(0.5, 0, "–"), (0.1, 0.1, "1.0 ×"), (0.99, 0.1, "9.9 ×"), (1, 0.1, "10 ×"), (1, 0.0005, "2,000 ×")],  # noqa: RUF001
)
def test_times_chance_is_short(value, chance, text):
    assert times(value, chance).replace("\N{NO-BREAK SPACE}", " ") == text


def test_amounts_agree_with_their_nouns():
    assert amount(1, "photo", "photos") == "1 photo"
    assert amount(12500, "photo", "photos") == "12,500 photos"
