"""Pictures in the terminal, by the protocols of kitty and iTerm2 or as sixels; the extra `terminal` has the library."""

import fcntl
import shutil
import struct
import sys
import termios
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

PROTOCOLS = {"KITTY": "BEGIN_KITTY_IMMEDIATE_IMAGE_V1", "ITERM2": "BEGIN_ITERM2_IMAGE", "SIXELS": "BEGIN_SIXELS"}
"""Protocols, best first, with the control sequence by which chafa's table of terminals tells who knows them."""
CELL = (8, 16)
"""Width and height of a character in pixels, if the terminal does not say them."""


def picture_printer() -> "Callable[[Image.Image], None] | None":
    """Return a function that shows a picture on the terminal; None if stdout is none that can, or chafa is missing.

    The terminal is known by its environment variables; it is asked nothing, as stdin may be a sketch.
    """
    if not sys.stdout.isatty():
        return None
    try:
        import chafa

        terminal = chafa.TermDb().detect()
        known = [
            name for name, begin in PROTOCOLS.items() if terminal.have_seq(chafa.TermSeq[f"CHAFA_TERM_SEQ_{begin}"])
        ]
    except (ImportError, OSError, AttributeError):  # it is not installed, or lacks a library
        return None
    return (lambda picture: _show(chafa, terminal, known[0], picture)) if known else None


def _show(chafa: Any, terminal: Any, protocol: str, picture: "Image.Image") -> None:
    """Print a picture as wide as the terminal, at most at its own size."""
    columns, cell_width, cell_height = _geometry()
    width = min(columns * cell_width, picture.width)
    settings = chafa.CanvasConfig()
    settings.width = width // cell_width
    settings.height = max(1, round(picture.height * width / picture.width / cell_height))
    settings.cell_width, settings.cell_height = cell_width, cell_height
    settings.canvas_mode = chafa.CanvasMode.CHAFA_CANVAS_MODE_TRUECOLOR
    settings.pixel_mode = chafa.PixelMode[f"CHAFA_PIXEL_MODE_{protocol}"]
    canvas = chafa.Canvas(settings)
    pixels = picture.convert("RGB")
    canvas.draw_all_pixels(
        chafa.PixelType.CHAFA_PIXEL_RGB8, pixels.tobytes(), pixels.width, pixels.height, 3 * pixels.width
    )
    sys.stdout.flush()
    sys.stdout.buffer.write(canvas.print(terminal) + b"\n")


def _geometry() -> tuple[int, int, int]:
    """Return the columns of the terminal, and the width and height of a character in pixels."""
    try:
        told = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, bytes(8))
        rows, columns, width, height = struct.unpack("HHHH", told)
    except OSError:
        rows = columns = width = height = 0
    if not (rows and columns):
        columns, rows = shutil.get_terminal_size()
    return columns, width // columns or CELL[0], height // rows or CELL[1]
