import json
from dataclasses import replace

import pytest
from rich.cells import cell_len

from sketchy import report
from sketchy.results import (
    Advice,
    CategoryCount,
    DataReport,
    Evaluation,
    Hit,
    Indexed,
    Kept,
    MadeFolder,
    Retrieval,
    Skipped,
    TrainResult,
)

EVALUATION = Evaluation(
    protocol={
        "name": "all",
        "queries": 1599,
        "queries_without_relevant": 2,
        "instance_queries": 1500,
        "gallery": 745,
        "categories": 125,
    },
    metrics={"map_all": 0.5, "instance_r_at_1": 0.25},
    chance={"map_all": 0.01, "instance_r_at_1": 0.001},
    per_category={
        "ant": {"map_all": 0.2, "p_at_1": 0.1, "instance_r_at_1": 0.0, "queries": 10, "photos": 5},
        "bee": {"map_all": 0.9, "p_at_1": 1.0, "instance_r_at_1": 0.5, "queries": 12, "photos": 6},
    },
)
FURTHER = Evaluation(
    {"name": "category", "source": "sketches of tu", "queries": 1960, "gallery": 745},
    {"map_all": 0.75, "p_at_1": 0.5, "p_at_10": 0.25},
    {"map_all": 0.125},
    {},
)
RETRIEVAL = Retrieval(
    "s.png",
    "m.pth",
    "photos",
    (
        Hit("a.jpg", 0.125, "cat", ("a.jpg", "copy.jpg"), 0.75),
        Hit("b.jpg", 1.5, None, ("b.jpg",), missing=True),
    ),
    {".heic": 3},
)


def test_a_table_puts_text_left_and_numbers_right():
    text = report.table(("category", "photos"), [("ant", 5), ("zebra", 1200)])
    assert text.splitlines() == [
        "category  photos",
        "--------  ------",
        "ant            5",
        "zebra       1200",
    ]


def test_a_dataset_is_a_table_with_totals_and_problems():
    found = DataReport(
        "data",
        "official",
        (CategoryCount("ant", 2, 3), CategoryCount("bee", 4, 5)),
        ("bee: odd",),
        (Skipped("x.jpg", "truncated"),),
    )
    lines = report.data_report_text(found).splitlines()
    assert lines[0] == "data: official"
    assert [line.split() for line in lines[4:7]] == [["ant", "2", "3"], ["bee", "4", "5"], ["total", "6", "8"]]
    assert lines[-3:] == ["2 problems", "  bee: odd", "  unreadable: x.jpg: truncated"]


def test_an_evaluation_states_its_protocol_and_chance():
    text = report.evaluation_text(EVALUATION, per_category=False)
    assert "1,599 sketches against 745 photos of 125 categories" in text
    assert "2 sketches without a photo of their category left out" in text
    assert ["instance", "R@1", "0.2500", "0.0010"] in [line.split() for line in text.splitlines()]
    assert "bee" not in text


def test_further_sources_have_a_table_of_their_own():
    lines = report.evaluation_text(replace(EVALUATION, further=(FURTHER,)), per_category=False).splitlines()
    assert lines[-1].split() == ["sketches", "of", "tu", "1960", "745", "0.7500", "0.5000", "0.2500", "0.1250"]
    assert lines[-3].split()[-3:] == ["P@10", "chance", "mAP@all"]
    assert lines[-4] == ""


def test_an_extended_gallery_is_mentioned():
    told = replace(EVALUATION, protocol=EVALUATION.protocol | {"extended_photos": 14601})
    assert report.protocol_line(told).endswith("; 14,601 of the photos from the extension")


def test_categories_are_listed_best_first_when_asked():
    text = report.evaluation_text(EVALUATION, per_category=True)
    assert text.index("bee") < text.index("ant")


def test_retrieval_json_has_the_documented_shape():
    assert json.loads(report.retrieval_json(RETRIEVAL)) == {
        "query": "s.png",
        "checkpoint": "m.pth",
        "gallery": "photos",
        "results": [
            {
                "rank": 1,
                "path": "a.jpg",
                "distance": 0.125,
                "category": "cat",
                "paths": ["a.jpg", "copy.jpg"],
                "score": 0.75,
                "missing": False,
                "taken": None,
            },
            {
                "rank": 2,
                "path": "b.jpg",
                "distance": 1.5,
                "category": None,
                "paths": ["b.jpg"],
                "score": None,
                "missing": True,
                "taken": None,
            },
        ],
        "left_out": {".heic": 3},
        "advice": None,
        "kind": None,
    }


def test_evaluation_json_has_the_documented_shape():
    assert json.loads(report.as_json(EVALUATION)).keys() == {
        *("protocol", "metrics", "chance", "per_category", "further")
    }


def test_json_has_null_for_nan_and_infinity():
    result = TrainResult("runs/x", 1, 1, {"loss": 0.5, "plateau_ratio": float("inf"), "other": float("nan")}, 1.0)
    best = json.loads(report.as_json(result), parse_constant=pytest.fail)["best"]
    assert best == {"loss": 0.5, "plateau_ratio": None, "other": None}


def test_an_undecodable_file_name_can_be_written_as_json():
    name = b"caf\xe9/\xff.jpg".decode(errors="surrogateescape")
    text = report.retrieval_json(Retrieval("\N{SNOWMAN}.png", "m", "g", (Hit(name, 0.5, None, (name,)),)))
    found = json.loads(text.encode())
    assert found["results"][0]["path"] == name
    assert "\N{SNOWMAN}.png" in text


def test_an_unknown_category_is_a_dash():
    assert report.retrieval_text(RETRIEVAL).splitlines()[-1].split() == ["2", "1.5000", "-", "-", "b.jpg", "(missing)"]


def test_copies_are_counted_behind_the_first_path():
    assert report.retrieval_text(RETRIEVAL).splitlines()[-2].split() == ["1", "0.1250", "0.750", "cat", "a.jpg", "+1"]


def test_an_empty_result_is_a_message():
    assert report.retrieval_text(Retrieval("s.png", "m.pth", "photos", ())) == "no photo fits"


def test_an_index_is_described_by_its_changes():
    made = Indexed("i", False, 1200, 3, 0, 1197, 2, (Skipped("c.jpg", "bad"),), 1.25)
    assert report.index_text(made) == "i: 1,200 photos; 3 embedded, 1,197 unchanged, 2 gone, 1 skipped; 1.2 s"
    assert report.index_text(replace(made, dry_run=True)).endswith(
        "photos now; would be: 3 embedded, 1,197 unchanged, 2 gone, 1 skipped"
    )


def test_left_out_and_kept_photos_have_their_own_lines():
    left_out = {"of another kind": 9000, "in @eaDir": 12, ".heic": 5120, ".cr2": 3}
    made = Indexed("i", False, 2, 0, 0, 1, 0, (), 1.25, left_out, (Kept("/usb", 1, "is empty"),))
    assert report.index_text(made).splitlines()[1:] == [
        "left out: 5,120 .heic, 12 in @eaDir, 3 .cr2, 9,000 of another kind",
        "kept 1 photo of /usb, which is empty now; mount its drive, or drop them with --drop-missing",
    ]
    assert json.loads(report.as_json(made))["left_out"] == left_out
    assert json.loads(report.as_json(made))["kept"] == [{"path": "/usb", "photos": 1, "reason": "is empty"}]


@pytest.mark.parametrize(
    ("best", "told"),
    [
        ({"val_map_all": 0.5, "val_p_at_1": 0.6, "val_instance_r_at_1": 0.1}, "mAP@all 0.500, P@1 0.600"),
        ({"loss": 1.0}, "no validation split"),
    ],
)
def test_a_training_reports_its_best_epoch(best, told):
    text = report.train_text(TrainResult("runs/x", 7, 5, best, 10.0))
    assert text.startswith("runs/x: 7 epochs, epoch 5 kept;")
    assert told in text


def test_a_single_item_is_in_the_singular():
    assert "runs/x: 1 epoch, epoch 1 kept" in report.train_text(TrainResult("runs/x", 1, 1, {}, 10.0))
    assert "1 problem\n" in report.data_report_text(DataReport("data", "flat", (), ("bee: odd",), ()))


def test_a_dataset_folder_is_described_by_its_counts():
    assert report.made_text(MadeFolder("d", 1200, 2400, 16)) == "d: 16 categories, 1,200 photos, 2,400 sketches"


def test_wide_characters_take_two_cells_of_a_table():
    lines = report.table(("name", "photos"), [("猫の写真", 5), ("e\u0301\tx", 1200)]).splitlines()
    assert lines[2:] == ["猫の写真       5", "e\u0301\\tx        1200"]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/me/a.jpg", "/home/me/a.jpg"),
        ("/home/me/Pictures/2023/trip/IMG_1.jpg", "…/2023/trip/IMG_1.jpg"),
        ("/写真/ねことねこ/三毛猫/昼寝.jpg", "…/三毛猫/昼寝.jpg"),
        ("/a/" + 10 * "long" + ".jpg", "…ong" + 4 * "long" + ".jpg"),
    ],
)
def test_a_path_is_shortened_to_its_end(path, shown):
    found = report.shortened(path, 24)
    assert cell_len(found) <= 24
    assert found == shown


def test_a_table_of_hits_fits_a_narrow_terminal_and_is_whole_in_a_file():
    long = "/home/me/Pictures/写真/" + "very/" * 10 + "IMG_1.jpg"
    found = replace(RETRIEVAL, results=(Hit(long, 0.5, None, (long, long), 0.9, taken="2023-01-02T03:04:05"),))
    lines = report.retrieval_text(found, 60).splitlines()
    assert max(map(cell_len, lines)) <= 60
    assert lines[-1].endswith("IMG_1.jpg  +1")
    assert long in report.retrieval_text(found)


def test_the_table_says_that_nothing_fits_well():
    first, *table = report.retrieval_text(replace(RETRIEVAL, advice=Advice.NOTHING_FITS)).splitlines()
    assert first == "nothing fits well; the nearest photos:"
    assert table == report.retrieval_text(RETRIEVAL).splitlines()
    assert json.loads(report.retrieval_json(replace(RETRIEVAL, advice=Advice.NOTHING_FITS)))["advice"] == first[:17]
