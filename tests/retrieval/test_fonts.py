import subprocess

import pytest
from PIL import ImageFont

from sketchy.retrieval import fonts


@pytest.fixture(autouse=True)
def _nothing_kept():
    fonts.font_for.cache_clear()
    fonts._opened.cache_clear()
    yield
    fonts.font_for.cache_clear()
    fonts._opened.cache_clear()


def test_latin_letters_are_drawn_with_the_font_of_pillow():
    assert fonts.font_for("1  IMG_1.jpg").getname() == ImageFont.load_default(13).getname()


def test_other_scripts_get_a_font_of_the_system_that_has_them(monkeypatch):
    try:
        wide = ImageFont.truetype("DejaVuSans.ttf", 13)
    except OSError:
        pytest.skip("the font DejaVu Sans is not installed")
    assert fonts.font_for("кот").getname() == wide.getname()
    monkeypatch.setattr(fonts, "LIKELY", ())
    fonts.font_for.cache_clear()
    monkeypatch.setattr(fonts, "_listed", lambda text: wide.path)
    assert fonts.font_for("кот").getname() == wide.getname()


def test_of_the_fonts_that_fontconfig_lists_a_regular_one_without_serifs_is_taken(monkeypatch):
    asked = []

    def listed(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(
            command, 0, b"/f/Serif-Bold.ttc: \n/f/Sans-Bold.ttc: \n/f/Sans-Regular.ttc: \n"
        )

    monkeypatch.setattr(fonts.shutil, "which", lambda name: name)
    monkeypatch.setattr(fonts.subprocess, "run", listed)
    assert fonts._listed("猫b") == "/f/Sans-Regular.ttc"
    assert asked == [["fc-list", ":charset=62 732b", "file"]]


@pytest.mark.parametrize("error", [OSError, subprocess.TimeoutExpired("fc-list", 5)])
def test_without_fonts_for_a_script_that_of_pillow_is_used(monkeypatch, error):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr(fonts, "LIKELY", ("no such font.ttf",))
    monkeypatch.setattr(fonts.shutil, "which", lambda name: name)
    monkeypatch.setattr(fonts.subprocess, "run", fails)
    assert fonts.font_for("猫").getname() == ImageFont.load_default(13).getname()
