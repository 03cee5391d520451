import pytest

from sketchy.paths import as_path, expanded


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("~", "/home/me"),
        ("~/a", "/home/me/a"),
        ("~no-such-user/a", "~no-such-user/a"),
        ("~no-such-user", "~no-such-user"),
        ("./~", "./~"),
        ("./~root", "./~root"),
        ("a/~/b", "a/~/b"),
        ("/a", "/a"),
    ],
)
def test_only_a_leading_home_is_expanded(text, whole, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert expanded(text) == whole


def test_an_expanded_name_is_not_expanded_again(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert str(as_path(expanded("./~/x"))) == "~/x"


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "an empty name"), ("a\0b", "a NUL character"), ("\ud800", "cannot be a file name in utf-8")],
)
def test_an_invalid_file_name_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        expanded(text)


@pytest.mark.parametrize("home", ["", "~", "~/x"])
def test_without_a_home_folder_its_name_is_refused(home, monkeypatch):
    monkeypatch.setenv("HOME", home)
    with pytest.raises(ValueError, match="cannot expand ~ in ~/a: there is no home folder"):
        expanded("~/a")
