"""Filters on photos, without a store."""

import pytest

from sketchy.retrieval.store.base import Photo, Where, category_name, whole_path


@pytest.mark.parametrize(
    ("glob", "whole"),
    [
        ("holiday/*", "*/holiday/*"),
        ("./holiday/*", "*/holiday/*"),
        (".//holiday/./*.jpg", "*/holiday/*.jpg"),
        ("holiday/", "*/holiday/*"),
        ("*.jpg", "*.jpg"),
        ("/p/*", "/p/*"),
        ("cafe\u0301/*", "*/caf\u00e9/*"),
    ],
)
def test_a_glob_is_turned_into_one_for_absolute_paths(glob, whole):
    assert whole_path(glob) == whole


def test_a_glob_of_the_current_folder_or_the_one_above_is_made_absolute(tmp_path):
    whole_path.cache_clear()
    assert whole_path("./") == f"{tmp_path}/*"
    assert whole_path("../x/*") == f"{tmp_path.parent}/x/*"
    whole_path.cache_clear()


def test_a_category_is_equal_in_both_unicode_forms():

    def photo(category: str | None) -> Photo:
        return Photo("/x.jpg", 1, 1, "", category)

    assert category_name("cafe\u0301") == category_name("caf\u00e9") == "caf\u00e9"
    assert category_name("caf\udce9") == "caf\ufffd"
    assert Where(("cafe\u0301",)).allows(photo("caf\u00e9"))
    assert Where(("caf\u00e9",)).allows(photo("cafe\u0301"))
    assert not Where(("cafe",)).allows(photo("caf\u00e9"))
    assert not Where(("cafe",)).allows(photo(None))
