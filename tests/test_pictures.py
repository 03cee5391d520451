"""Pictures in the terminal."""

import io
import sys
from enum import IntEnum
from types import SimpleNamespace

import pytest
from PIL import Image

from sketchy.cli import pictures

Sequences = IntEnum("Sequences", [f"CHAFA_TERM_SEQ_{name}" for name in pictures.PROTOCOLS.values()])
Modes = IntEnum("Modes", [f"CHAFA_PIXEL_MODE_{name}" for name in pictures.PROTOCOLS])


class Terminal(io.TextIOWrapper):
    def isatty(self):
        return True


@pytest.fixture
def stdout(monkeypatch):
    opened = Terminal(io.BytesIO())
    monkeypatch.setattr(pictures, "sys", SimpleNamespace(stdout=opened))
    monkeypatch.setattr(pictures, "_geometry", lambda: (60, 10, 20))
    return opened


def chafa(*known: str) -> SimpleNamespace:
    """The library, for a terminal that knows some protocols."""

    class Canvas:
        def __init__(self, config):
            self.config = config

        def draw_all_pixels(self, kind, pixels, width, height, stride):
            assert len(pixels) == height * stride == 3 * width * height

        def print(self, terminal):
            return f"{self.config.pixel_mode.name} {self.config.width}x{self.config.height}".encode()

    terminal = SimpleNamespace(have_seq=lambda sequence: any(name in sequence.name for name in known))
    return SimpleNamespace(
        TermDb=lambda: SimpleNamespace(detect=lambda: terminal),
        TermSeq=Sequences,
        PixelMode=Modes,
        CanvasMode=SimpleNamespace(CHAFA_CANVAS_MODE_TRUECOLOR=0),
        PixelType=SimpleNamespace(CHAFA_PIXEL_RGB8=8),
        CanvasConfig=SimpleNamespace,
        Canvas=Canvas,
    )


@pytest.mark.parametrize(
    ("known", "protocol"), [(["KITTY", "SIXEL"], "KITTY"), (["ITERM2", "SIXEL"], "ITERM2"), (["SIXEL"], "SIXELS")]
)
def test_a_terminal_gets_a_picture_as_wide_as_itself(monkeypatch, stdout, known, protocol):
    monkeypatch.setitem(sys.modules, "chafa", chafa(*known))
    pictures.picture_printer()(Image.new("L", (1200, 400)))
    assert stdout.buffer.getvalue() == f"CHAFA_PIXEL_MODE_{protocol} 60x10\n".encode()


def test_a_small_picture_is_not_enlarged(monkeypatch, stdout):
    monkeypatch.setitem(sys.modules, "chafa", chafa("KITTY"))
    pictures.picture_printer()(Image.new("RGB", (200, 40)))
    assert stdout.buffer.getvalue() == b"CHAFA_PIXEL_MODE_KITTY 20x2\n"


def test_other_terminals_get_none(monkeypatch, stdout):
    monkeypatch.setitem(sys.modules, "chafa", chafa())
    assert pictures.picture_printer() is None
    monkeypatch.setitem(sys.modules, "chafa", None)
    assert pictures.picture_printer() is None


def test_a_file_or_a_pipe_gets_none(monkeypatch):
    monkeypatch.setitem(sys.modules, "chafa", chafa("KITTY"))
    monkeypatch.setattr(pictures, "sys", SimpleNamespace(stdout=io.StringIO()))
    assert pictures.picture_printer() is None


def test_a_terminal_without_a_size_has_the_usual_one(monkeypatch):
    monkeypatch.setattr(pictures, "sys", SimpleNamespace(stdout=SimpleNamespace(fileno=lambda: 0)))
    monkeypatch.setattr(pictures.fcntl, "ioctl", lambda *_: bytes(8))
    monkeypatch.setattr(pictures.shutil, "get_terminal_size", lambda: (80, 24))
    assert pictures._geometry() == (80, *pictures.CELL)
