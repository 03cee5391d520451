import os
import struct
import threading
import zlib
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketchy.errors import ImageError
from sketchy.image import KNOWN_UNREADABLE, MAX_PIXELS, SUFFIXES, open_image, read_content

COLOR = (200, 100, 50)
PLAIN = Image.new("RGB", (40, 20), COLOR)
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))


def encode(image: Image.Image, image_format: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def first_pixel(content: bytes) -> tuple[int, ...]:
    image = open_image(content).convert("RGB")
    return tuple(np.asarray(image)[0, 0].tolist())


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises many pixels."""
    chunks = {b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0), b"IDAT": zlib.compress(b""), b"IEND": b""}
    body = b"".join(
        struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))
        for tag, data in chunks.items()
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_supported_format_is_detected_by_its_content(tmp_path: Path, image_format: str) -> None:
    path = tmp_path / "picture.txt"
    path.write_bytes(encode(PLAIN, image_format))
    opened = open_image(path)
    assert opened.size == PLAIN.size
    np.testing.assert_allclose(np.asarray(opened.convert("RGB"))[5, 5], COLOR, atol=6)
    assert np.array_equal(np.asarray(open_image(path.read_bytes())), np.asarray(opened))


@pytest.mark.parametrize(
    ("content", "mode", "pixel"),
    [
        (encode(PLAIN.convert("CMYK"), "TIFF"), "RGB", COLOR),
        (encode(PLAIN.quantize(4)), "RGB", COLOR),
        (encode(Image.new("1", (4, 4), 1)), "L", (255, 255, 255)),
        (encode(Image.new("1", (4, 4), 0)), "L", (0, 0, 0)),
        (encode(Image.fromarray(np.full((4, 4), 40_000, np.uint16))), "L", (156, 156, 156)),
        (encode(Image.fromarray(np.full((4, 4), 200, np.uint16))), "L", (1, 1, 1)),
        (encode(Image.fromarray(np.full((4, 4), 0.5, np.float32)), "TIFF"), "L", (128, 128, 128)),
        (encode(Image.fromarray(np.array([[9, 100_009]], np.int32)), "TIFF"), "L", (0, 0, 0)),
        (encode(Image.fromarray(np.array([[-5, 5]], np.int32)), "TIFF"), "L", (0, 0, 0)),
        (encode(Image.fromarray(np.full((4, 4), np.nan, np.float32)), "TIFF"), "L", (0, 0, 0)),
        (encode(Image.fromarray(np.array([[-np.inf, 3e38]], np.float32)), "TIFF"), "L", (0, 0, 0)),
    ],
    ids=[
        "cmyk",
        "palette",
        "1 bit",
        "0 bit",
        "16 bit",
        "dark 16 bit",
        "float",
        "32 bit",
        "negative",
        "not a number",
        "endless",
    ],
)
def test_every_pixel_format_becomes_8_bits_of_grey_or_colour(content: bytes, mode: str, pixel: tuple[int, ...]) -> None:
    assert open_image(content).mode == mode
    assert first_pixel(content) == pixel


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_tiff_whose_level_0_is_white_is_not_a_negative(dtype: type) -> None:
    entry = struct.pack("<HHI", 262, 3, 1)
    content = encode(Image.fromarray(np.zeros((4, 4), dtype)), "TIFF").replace(entry + b"\1", entry + b"\0")
    assert first_pixel(content) == (255, 255, 255)


def test_a_cmyk_jpeg_is_not_a_negative() -> None:
    np.testing.assert_allclose(first_pixel(encode(PLAIN.convert("CMYK"), "JPEG")), COLOR, atol=3)


def test_a_bmp_whose_alpha_is_0_everywhere_is_opaque() -> None:
    header = struct.pack("<IiiHHIIiiII4I", 108, 1, 1, 1, 32, 3, 4, 0, 0, 0, 0, 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    content = b"BM" + struct.pack("<IHHI", 126, 0, 0, 122) + header.ljust(108, b"\0") + bytes((*COLOR[::-1], 0))
    assert first_pixel(content) == COLOR


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_is_opened_at_its_first_frame(image_format: str) -> None:
    content = encode(
        Image.new("RGB", (8, 8), "red"), image_format, save_all=True, append_images=[Image.new("RGB", (8, 8), "blue")]
    )
    red, _, blue = first_pixel(content)
    assert (red, blue) == (255, 0)


@pytest.mark.parametrize(
    "content",
    [
        encode(Image.new("RGBA", (4, 4), (0, 0, 0, 0))),
        encode(Image.new("LA", (4, 4), (0, 0))),
        encode(PLAIN, transparency=COLOR),
        encode(Image.new("L", (4, 4), 7), transparency=7),
        encode(PLAIN.quantize(2), transparency=PLAIN.quantize(2).getpixel((0, 0))),
    ],
    ids=["rgba", "grey and alpha", "one colour", "one grey", "palette"],
)
def test_transparent_pixels_become_white(content: bytes) -> None:
    assert first_pixel(content) == (255, 255, 255)


def drawn_on_nothing(color: str, nothing: tuple[int, int, int, int]) -> bytes:
    image = Image.new("RGBA", (20, 20), nothing)
    ImageDraw.Draw(image).line((10, 0, 10, 20), fill=color, width=2)
    return encode(image)


@pytest.mark.parametrize("nothing", [(0, 0, 0, 0), (255, 255, 255, 0), (9, 99, 200, 0)])
@pytest.mark.parametrize(("color", "ink", "paper"), [("black", 0, 255), ("white", 255, 0), ("grey", 128, 255)])
def test_ink_on_transparency_stays_visible_whatever_the_colour_of_transparent_pixels(
    color: str, ink: int, paper: int, nothing: tuple[int, int, int, int]
) -> None:
    image = open_image(drawn_on_nothing(color, nothing)).convert("L")
    assert (image.getpixel((10, 5)), image.getpixel((1, 5))) == (ink, paper)


def test_an_opaque_white_image_stays_white() -> None:
    assert first_pixel(encode(Image.new("RGBA", (4, 4), "white"))) == (255, 255, 255)


def test_an_opaque_alpha_channel_changes_nothing() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 4), np.uint8)
    pixels[..., 3] = 255
    opened = open_image(encode(Image.fromarray(pixels)))
    np.testing.assert_array_equal(np.asarray(opened), pixels[..., :3])


def test_half_transparent_ink_is_half_as_dark() -> None:
    assert first_pixel(encode(Image.new("RGBA", (4, 4), (0, 0, 0, 128)))) == (127, 127, 127)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (1, 0)), (8, (0, 1))])
def test_images_are_turned_upright(image_format: str, orientation: int, corner: tuple[int, int]) -> None:
    stored = Image.new("L", (64, 32), 0)
    stored.paste(255, (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x112] = orientation
    upright = open_image(encode(stored.convert("RGB"), image_format, exif=exif)).convert("L")
    assert upright.size == ((64, 32) if orientation in (1, 3) else (32, 64))
    across, down = (edge * (side - 1) for edge, side in zip(corner, upright.size, strict=True))
    light = np.argwhere(np.asarray(upright) > 128)
    assert [down, across] in light.tolist()
    assert abs(len(light) - 256) < 30


def test_broken_exif_does_not_prevent_opening() -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    content = bytearray(encode(PLAIN, "JPEG", exif=exif))
    start = content.index(b"Exif") + 6
    content[start : start + 24] = b"\xff" * 24
    assert open_image(bytes(content)).size == PLAIN.size


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_file_is_an_error_and_not_half_grey(image_format: str, share: float) -> None:
    content = encode(NOISE, image_format)
    with pytest.raises(ImageError, match=r"^(truncated|broken image data)$"):
        open_image(content[: round(max(share * len(content), 20))])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"hello", "not an image in a known format"),
        (bytes(5000), "not an image in a known format"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "is SVG; export it as PNG first"),
        (b"%PDF-1.4", "is PDF; export it as PNG first"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1", "broken image data"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "broken image data"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image in a known format"),
        (encode(PLAIN, "PPM"), "not an image in a known format"),
        (png_that_claims(0, 5), "broken image data"),
        (png_that_claims(100_000, 100_000), "too large: 100000x100000 pixels, at most 100 megapixels"),
        (png_that_claims(MAX_PIXELS + 1, 1), "too large: 100000001x1 pixels, at most 100 megapixels"),
    ],
)
def test_a_file_that_cannot_be_opened_has_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        open_image(content)
    assert str(caught.value) == reason


def test_an_image_at_the_pixel_limit_is_allowed() -> None:
    with pytest.raises(ImageError, match="truncated"):  # so it was tried
        open_image(png_that_claims(MAX_PIXELS, 1))


def test_a_path_that_cannot_be_opened_has_a_reason(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"^no such file$"):
        open_image(tmp_path / "gone.png")
    with pytest.raises(ImageError, match=r"^is a folder$"):
        open_image(tmp_path)
    with pytest.raises(ImageError, match=r"^not a valid file name$"):
        open_image(tmp_path / "a\0b.png")


def test_the_format_of_the_suffix_is_named_if_a_file_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.CR3"
    path.write_bytes(b"some camera's own")
    with pytest.raises(ImageError, match=r"^is a camera's raw file; export it as PNG first$"):
        open_image(path)
    path.write_bytes(encode(PLAIN))  # the content counts
    assert open_image(path).size == PLAIN.size
    assert not SUFFIXES & set(KNOWN_UNREADABLE)


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = encode(NOISE)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    assert np.array_equal(np.asarray(open_image(pipe)), np.asarray(NOISE))
    writer.join()


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encode(PLAIN)
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(content)))
    assert read_content(Path("-")) == content
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ImageError, match=r"^there is no standard input$"):
        read_content(Path("-"))


def test_endless_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"^not an image in a known format$"):
        open_image(Path("/dev/zero"))
    path = tmp_path / "long.png"
    path.write_bytes(encode(PLAIN) + bytes(2_001_000))
    with pytest.raises(ImageError, match=r"^too large: more than 2 MB$"):
        read_content(path, limit=2_000_000)


def test_a_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode(PLAIN))
    image = open_image(path)
    path.write_bytes(b"")  # an image that still reads lazily would now fail
    assert image.getpixel((39, 19)) == COLOR


def test_a_jpeg_is_decoded_smaller_but_never_below_the_requested_size() -> None:
    content = encode(Image.new("RGB", (1600, 800)), "JPEG")
    assert open_image(content, at_least=200).size == (400, 200)
    assert open_image(content, at_least=201).size == (800, 400)
    assert open_image(content, at_least=5000).size == (1600, 800)
    assert open_image(content).size == (1600, 800)


@pytest.mark.parametrize(
    "colors",
    [
        ("white", "#ff5050"),
        ("white", "#ffc83c"),
        ("black", "white"),
        ("#e3e3e3", "#ff8787"),
        ("#808080", "#808080"),
        ("black", "white", "#808080"),
    ],
    ids=" and ".join,
)
def test_strokes_of_every_colour_on_transparency_stay_visible(colors: tuple[str, ...]) -> None:
    image = Image.new("RGBA", (90, 90), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    for row, color in enumerate(colors):
        draw.line((5, 15 + 30 * row, 85, 15 + 30 * row), fill=color, width=4)
    pixels = np.asarray(open_image(encode(image))).astype(int)
    for row in range(len(colors)):
        assert np.abs(pixels[15 + 30 * row, 45] - pixels[1, 1]).max() >= 64


def test_a_photo_that_was_cut_out_gets_a_white_background() -> None:
    image = Image.new("RGBA", (90, 90), (0, 0, 0, 0))
    shades = np.linspace(0, 255, 60, dtype=np.uint8)
    image.paste(Image.fromarray(np.repeat(np.tile(shades, (60, 1))[..., None], 3, 2)), (15, 15))
    assert open_image(encode(image)).getpixel((1, 1)) == (255, 255, 255)
