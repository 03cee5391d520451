import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from sketchy.errors import ImageError
from sketchy.image import open_image

CORNER = Image.new("RGB", (320, 240))
CORNER.paste((255, 0, 0), (0, 0, 160, 120))


def directory(tags: list[tuple[int, int, int, int]]) -> bytes:
    """Tags as name, type, number of values and value; with no directory after it."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return struct.pack("<H", len(tags)) + entries + bytes(4)


def dng(orientation: int = 1) -> bytes:
    """A raw file of 64 x 48 sensor pixels, with a larger JPEG as preview."""
    jpeg = BytesIO()
    CORNER.save(jpeg, "JPEG", quality=95)
    preview, sensor = jpeg.getvalue(), bytes(64 * 48 * 2)
    first, second, texts = 8, 300, 600
    start = 1000
    version = int.from_bytes(bytes([1, 4, 0, 0]), "little")
    tags = [(254, 4, 1, 1), (256, 4, 1, 320), (257, 4, 1, 240), (259, 3, 1, 7), (262, 3, 1, 6), (273, 4, 1, start),
            (271, 2, 8, texts), (272, 2, 8, texts), (274, 3, 1, orientation), (277, 3, 1, 3), (278, 4, 1, 240),
            (279, 4, 1, len(preview)), (330, 4, 1, second), (50706, 1, 4, version), (50708, 2, 8, texts)]  # fmt: skip
    pattern = int.from_bytes(bytes([0, 1, 1, 2]), "little")
    raw = [(254, 4, 1, 0), (256, 4, 1, 64), (257, 4, 1, 48), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 32803),
           (273, 4, 1, start + len(preview)), (277, 3, 1, 1), (278, 4, 1, 48), (279, 4, 1, len(sensor)),
           (33421, 3, 2, 2 + (2 << 16)), (33422, 1, 4, pattern)]  # fmt: skip
    file = bytearray(start)
    head = struct.pack("<2sHI", b"II", 42, first)
    for position, part in ((0, head), (first, directory(tags)), (second, directory(raw)), (texts, b"Camera1\0")):
        file[position : position + len(part)] = part
    return bytes(file) + preview + sensor


@pytest.mark.parametrize(("orientation", "red"), [(1, (40, 40)), (3, (280, 200)), (6, (200, 40)), (8, (40, 280))])
def test_the_preview_is_opened_upright(orientation: int, red: tuple[int, int]) -> None:
    pytest.importorskip("rawpy")
    opened = open_image(dng(orientation))
    assert sorted(opened.size) == [240, 320]
    assert np.abs(np.subtract(opened.getpixel(red), (255, 0, 0))).max() < 8


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sketchy.containers.raw.is_installed", lambda extra: False)
    with pytest.raises(ImageError, match=r"raw file; `pip install 'sketchy-search\[raw\]'` reads its preview$"):
        open_image(dng())


@pytest.mark.parametrize(
    "start", [b"FUJIFILMCCD-RAW 0201", b"\0\0\0\x18ftypcrx \0\0\0\1", b"IIU\0\x18\0\0\0", b"IIRO\x08\0\0\0"]
)
def test_raw_files_without_a_preview_are_errors(start: bytes) -> None:
    pytest.importorskip("rawpy")
    with pytest.raises(ImageError, match=r"^is a camera's raw file without a preview; export it as JPEG first$"):
        open_image(start + bytes(3000))


def test_broken_raw_files_are_errors_and_never_more() -> None:
    pytest.importorskip("rawpy")
    content = dng()
    draw = np.random.default_rng(0)
    failed = 0
    for _ in range(150):
        broken = bytearray(content[: draw.integers(20, len(content))] if draw.random() < 0.3 else content)
        for position in draw.integers(8, 1000, 5) % len(broken):
            broken[position] = draw.integers(256)
        try:
            assert open_image(bytes(broken)).mode in ("L", "RGB")
        except ImageError:
            failed += 1
    assert failed > 10
