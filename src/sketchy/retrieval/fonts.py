"""Fonts for names in every script: that of Pillow for Latin letters, and those of the system for others."""

import os
import shutil
import subprocess
from contextlib import suppress
from functools import cache

from PIL import ImageFont

SIZE = 13
LIKELY = ("DejaVuSans.ttf", "NotoSansCJK-Regular.ttc", "Arial Unicode.ttf")
"""Fonts with many scripts, which Pillow finds in the folders of the system if they are installed."""
ABSENT = "\U0010fffe"
"""A character that no font has; what is drawn for it is drawn for every missing one."""
SECONDS = 5

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@cache
def font_for(text: str) -> Font:
    """Return a font that has all characters of a text; Pillow's own if none is found."""
    own = ImageFont.load_default(SIZE)
    if _has_all(own, text):
        return own
    likely = (font for font in map(_opened, LIKELY) if font is not None and _has_all(font, text))
    return next(likely, None) or _opened(_listed(text)) or own


@cache
def _opened(file: str) -> Font | None:
    """Open a font by path or name; None if there is no such font."""
    with suppress(OSError):
        return ImageFont.truetype(file, SIZE)
    return None


def _has_all(font: Font, text: str) -> bool:
    absent = bytes(font.getmask(ABSENT))
    return all(char.isspace() or bytes(font.getmask(char)) != absent for char in text)


def _listed(text: str) -> str:
    """Return the path of a font that fontconfig lists for all characters of a text; empty if there is none."""
    if shutil.which("fc-list") is None:
        return ""
    codes = " ".join(sorted({f"{ord(char):x}" for char in text}))
    command = ["fc-list", f":charset={codes}", "file"]
    with suppress(OSError, subprocess.SubprocessError):
        listed = subprocess.run(command, capture_output=True, timeout=SECONDS, check=True).stdout
        files = [os.fsdecode(line).rstrip().removesuffix(":") for line in listed.splitlines()]
        return min(files, key=lambda file: ("Sans" not in file, "Regular" not in file, file), default="")
    return ""
