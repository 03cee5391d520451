"""The sizes in AV1 data, which a decoder believes more than the header of the file.

Source: AV1 Bitstream & Decoding Process Specification, sections 4.10 and 5.3 to 5.5.
"""

from collections.abc import Iterator

_SEQUENCE_HEADER = 1


def coded_sizes(data: bytes) -> Iterator[tuple[int, int] | None]:
    """Yield for each unit of AV1 data the width and height that it announces in pixels; None for other units.

    Raises:
        IndexError: The data ends within a unit.
    """
    position = 0
    while position < len(data):
        header = data[position]
        position += 2 if header & 4 else 1
        size = len(data) - position
        if header & 2:
            size, position = _leb128(data, position)
        is_header = header >> 3 & 15 == _SEQUENCE_HEADER
        yield _sequence_size(_Bits(data[position : position + size])) if is_header else None
        position += size


def _leb128(data: bytes, position: int) -> tuple[int, int]:
    """Return an integer of up to 8 bytes with 7 bits each, and the position after it."""
    value = 0
    for shift in range(0, 56, 7):
        value |= (data[position] & 127) << shift
        position += 1
        if data[position - 1] < 128:
            break
    return value, position


class _Bits:
    """Reads bits, the most significant first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, count: int) -> int:
        value = 0
        for position in range(self._position, self._position + count):
            value = value << 1 | self._data[position >> 3] >> (7 - (position & 7)) & 1
        self._position += count
        return value

    def skip_uvlc(self) -> None:
        zeros = 0
        while not self.take(1):
            zeros += 1
        if zeros < 32:
            self.take(zeros)


def _sequence_size(bits: _Bits) -> tuple[int, int]:
    """Return the greatest width and height of the frames."""
    bits.take(4)  # profile, still picture
    if bits.take(1):  # the short form for still pictures
        bits.take(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width_bits) + 1, bits.take(height_bits) + 1


def _skip_operating_points(bits: _Bits) -> None:
    delay_bits = 0
    if bits.take(1):  # timing
        bits.take(64)
        if bits.take(1):
            bits.skip_uvlc()
        if bits.take(1):  # decoder model
            delay_bits = bits.take(5) + 1
            bits.take(42)
    has_display_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:  # level
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if has_display_delay and bits.take(1):
            bits.take(4)
