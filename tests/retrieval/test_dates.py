from datetime import UTC, date, datetime
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pillow_heif import from_pillow

from sketchy.retrieval.dates import date_taken, first_day, first_second, iso, last_day, local_seconds

DATE = "2023:07:14 12:03:44"


def photo(image_format: str, text: str = DATE, tag: int = 0x9003, order: str = "<") -> bytes:
    exif = Image.Exif()
    exif.endian = order
    exif.get_ifd(0x8769)[tag] = text
    file = BytesIO()
    image = Image.new("RGB", (16, 16))
    if image_format == "TIFF":  # EXIF data are one
        return exif.tobytes().removeprefix(b"Exif\0\0")
    if image_format == "HEIF":
        from_pillow(image).save(file, exif=exif.tobytes())
    else:
        image.save(file, image_format, exif=exif.tobytes())
    return file.getvalue()


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_the_date_is_read_from_every_container(image_format: str) -> None:
    found = date_taken(photo(image_format))
    assert found is not None
    assert iso(found) == "2023-07-14T12:03:44"


@pytest.mark.parametrize("order", "<>")
def test_both_byte_orders_are_read(order: str) -> None:
    assert date_taken(photo("JPEG", order=order)) == date_taken(photo("JPEG"))


@pytest.mark.parametrize("text", ["0000:00:00 00:00:00", "2023:13:01 00:00:00", "    :  :     :  :  ", "yesterday", ""])
def test_a_date_that_is_none_is_not_taken_for_one(text: str) -> None:
    assert date_taken(photo("JPEG", text)) is None


def test_other_dates_are_not_that_of_the_shot() -> None:
    assert date_taken(photo("JPEG", tag=0x9004)) is None
    assert date_taken(b"") is None


def test_broken_data_have_a_date_or_none_and_never_fail() -> None:
    content = photo("JPEG")
    draw = np.random.default_rng(0)
    found = set()
    for _ in range(2000):
        broken = bytearray(content[:300])
        for position in draw.integers(0, len(broken), draw.integers(1, 8)):
            broken[position] = draw.integers(256)
        found.add(date_taken(bytes(broken)))
    assert {None, date_taken(content)} <= found


def test_a_file_has_the_time_of_the_local_clock_unless_it_is_unknown() -> None:
    local = local_seconds(1_700_000_000_999_999_999)
    assert local is not None
    assert iso(local) == datetime.fromtimestamp(1_700_000_000).isoformat()
    assert local_seconds(0) is None
    assert local_seconds(2**80) is None


def test_a_day_begins_at_midnight() -> None:
    assert first_second(date(2023, 7, 14)) == datetime(2023, 7, 14, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2023", date(2023, 1, 1), date(2023, 12, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2023-7", date(2023, 7, 1), date(2023, 7, 31)),
        ("2023-07-14", date(2023, 7, 14), date(2023, 7, 14)),
    ],
)
def test_a_period_has_a_first_and_a_last_day(text: str, first: date, last: date) -> None:
    assert (first_day(text), last_day(text)) == (first, last)


@pytest.mark.parametrize("text", ["", "23", "2023-13", "2023-02-30", "14.07.2023", "2023-07-14T12:00", "0000"])
def test_other_texts_are_refused_with_the_known_forms(text: str) -> None:
    with pytest.raises(ValueError, match="is no date; write 2023, 2023-07 or 2023-07-14"):
        last_day(text)
