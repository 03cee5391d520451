import struct
import subprocess
import sys
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sketchy.errors import ImageError
from sketchy.image import image_size, open_image

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))


def encode(**options: Any) -> bytes:
    file = BytesIO()
    NOISE.save(file, "TIFF", **options)
    return file.getvalue()


def with_tag(content: bytes, tag: int, kind: int, count: int, value: int) -> bytes:
    """A TIFF of little end with one more tag, in a directory at its end."""
    (start,) = struct.unpack_from("<I", content, 4)
    (number,) = struct.unpack_from("<H", content, start)
    entries = [content[start + 2 + 12 * place :][:12] for place in range(number)]
    entries = sorted([*entries, struct.pack("<HHII", tag, kind, count, value)], key=lambda entry: entry[1::-1])
    directory = struct.pack("<H", number + 1) + b"".join(entries) + bytes(4)
    return content[:4] + struct.pack("<I", len(content)) + content[8:] + directory


@pytest.mark.parametrize(
    "options", [{}, {"compression": "tiff_lzw"}, {"big_tiff": True}, {"compression": "tiff_deflate"}]
)
def test_every_kind_of_tiff_keeps_its_pixels(options):
    content = encode(**options)
    assert np.array_equal(np.asarray(open_image(content)), np.asarray(NOISE))
    assert image_size(content) == NOISE.size


@pytest.mark.parametrize(
    "tag",
    [
        (270, 2, 4_000_000, 8),
        (282, 5, 1, 0xFFFFFF),
        (34665, 4, 1, 0xFFFFFF),
        (34675, 7, 900_000, 8),
        (700, 1, 1_000_000_000, 8),
        (33723, 99, 7, 8),
        (330, 4, 1_000_000, 8),
    ],
)
def test_odd_metadata_never_prevents_opening(tag):
    assert np.array_equal(np.asarray(open_image(with_tag(encode(), *tag))), np.asarray(NOISE))


def test_a_loop_of_directories_ends():
    content = encode()
    (start,) = struct.unpack_from("<I", content, 4)
    (number,) = struct.unpack_from("<H", content, start)
    end = start + 2 + 12 * number
    assert open_image(content[:end] + struct.pack("<I", start) + content[end + 4 :]).size == NOISE.size


def test_too_many_strips_are_refused():
    strips = with_tag(encode(), 324, 4, 200_000, 8) + bytes(800_000)
    with pytest.raises(ImageError, match=r"^too complicated: more than 100,000 strips$"):
        open_image(strips)


def test_a_raw_file_of_a_camera_is_not_opened_as_its_thumbnail():
    with pytest.raises(ImageError, match=r"^is a camera's raw file"):
        open_image(with_tag(encode(), 50706, 1, 4, 0x401))


def test_messages_of_libtiff_are_not_printed(capfd):
    content = encode(compression="packbits")
    with pytest.raises(ImageError, match=r"^broken image data$"):
        open_image(content[:8] + b"\x80" * 3000 + content[3008:])
    assert capfd.readouterr().err == ""


def test_warnings_of_the_decoder_are_not_shown(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(with_tag(encode(), 266, 3, 2, 1))  # two values where one belongs
    script = "import sys; from pathlib import Path; from {}; {}(Path(sys.argv[1]))"
    said = []
    for found in (
        script.format("PIL.Image import open", "open"),
        script.format("sketchy.image import open_image", "open_image"),
    ):
        command = [sys.executable, "-W", "always", "-c", found, str(path)]
        said.append(subprocess.run(command, capture_output=True, check=True).stderr)
    assert b"UserWarning" in said[0]
    assert said[1] == b""


def test_floating_point_colours_are_told_from_broken_data():
    with pytest.raises(ImageError, match="is a TIFF with floating-point colours; export it as PNG first"):
        open_image(with_tag(encode(), 339, 3, 1, 3))
