import pytest

from sketchy.containers.av1 import coded_sizes


def unit(bits: str) -> bytes:
    """Return a sequence header with its size, from its bits."""
    payload = int(bits.replace(" ", "").ljust(-(-len(bits.replace(" ", "")) // 8) * 8, "0"), 2)
    body = payload.to_bytes(-(-len(bits.replace(" ", "")) // 8))
    return bytes([1 << 3 | 2, len(body)]) + body


SIZE = f"1111 1111 {639:016b} {479:016b}"


def test_the_size_is_read_from_the_short_form_of_still_pictures() -> None:
    assert list(coded_sizes(unit(f"000 1 1 01000 {SIZE}"))) == [(640, 480)]


def test_the_size_is_read_after_timing_and_operating_points() -> None:
    timing = f"1 {1:032b} {25:032b} 1 00101 1 01001 {0:032b} {0:010b}"
    points = f"1 00001 {0:012b} 01000 1 1 {0:010b} {0:010b} 0 1 0000 {0:012b} 00100 0 0"
    assert list(coded_sizes(unit(f"000 0 0 {timing} {points} {SIZE}"))) == [(640, 480)]


def test_other_units_have_no_size() -> None:
    assert list(coded_sizes(b"\x12\x00" + unit(f"000 1 1 01000 {SIZE}") + b"\x30abc")) == [None, (640, 480), None]


def test_data_that_end_within_a_unit_are_an_error() -> None:
    with pytest.raises(IndexError):
        list(coded_sizes(unit(f"000 1 1 01000 {SIZE}")[:6]))
