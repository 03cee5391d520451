"""The contact sheet: a picture of queries, each with the photos found for it."""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageOps

from sketchy.retrieval.fonts import Font, font_for

TILE = 160
GAP = 12
CAPTION = 34
FRAME = 5
INK = (32, 33, 36)
PAPER = (255, 255, 255)
RIGHT = (46, 160, 67)
WRONG = (207, 63, 54)
EDGE = (208, 210, 214)


class Tile(NamedTuple):
    """A picture with up to two lines below it; framed green when right, red when wrong, grey when unknown."""

    picture: Image.Image
    caption: str
    right: bool | None = None


def contact_sheet(rows: Sequence[tuple[Tile, Sequence[Tile]]], columns: int = 5) -> Image.Image:
    """Draw queries on the left, and their photos on the right.

    Args:
        rows: Each query with its photos, nearest first; at least one.
        columns: Photos per line; further photos wrap.

    Returns:
        An RGB image; its size depends on the number of lines.
    """
    step_x, step_y = TILE + GAP, TILE + CAPTION + GAP
    lines = [max(1, -(-len(photos) // columns)) for _, photos in rows]
    width = GAP + step_x * (1 + min(columns, max(len(photos) for _, photos in rows))) + GAP
    sheet = Image.new("RGB", (width, GAP + step_y * sum(lines)), PAPER)
    top = GAP
    for (query, photos), count in zip(rows, lines, strict=True):
        _draw(sheet, query, GAP, top)
        for index, photo in enumerate(photos):
            _draw(sheet, photo, 2 * GAP + step_x * (1 + index % columns), top + step_y * (index // columns))
        top += step_y * count
    return sheet


def _draw(sheet: Image.Image, tile: Tile, left: int, top: int) -> None:
    """Draw one framed picture and its caption on the sheet."""
    colour = EDGE if tile.right is None else RIGHT if tile.right else WRONG
    width = 1 if tile.right is None else FRAME
    inside = TILE - 2 * width
    picture = ImageOps.pad(tile.picture.convert("RGB"), (inside, inside), color=PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((left, top, left + TILE - 1, top + TILE - 1), fill=colour)
    sheet.paste(picture, (left + width, top + width))
    for index, line in enumerate(tile.caption.split("\n")[:2]):
        font = font_for(line)
        draw.text((left, top + TILE + 2 + 15 * index), _shortened(line, font), fill=INK, font=font)


def _shortened(text: str, font: Font) -> str:
    """Shorten the text to the width of a tile, with an ellipsis."""
    if font.getlength(text) <= TILE:
        return text
    while text and font.getlength(text + "…") > TILE:
        text = text[:-1]
    return text + "…"
