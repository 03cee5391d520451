import numpy as np
import pytest

from sketchy.errors import UnknownWordError
from sketchy.retrieval.words import direction_of

WORDS = {
    name: np.eye(4, dtype=np.float16)[row] for row, name in enumerate(["cat", "alarm_clock", "butterfly", "teapot"])
}


@pytest.mark.parametrize(
    ("text", "row"),
    [("cat", 0), ("Cat", 0), ("kitten", 0), ("a cat", 0), ("the cats", 0), ("alarm clock", 1), ("Alarm-Clocks", 1),
     ("butterflies", 2), (" teapot ", 3)],
)  # fmt: skip
def test_a_thing_is_found_by_any_of_its_names(text, row):
    np.testing.assert_array_equal(direction_of(WORDS, [text]), np.eye(4)[row])


def test_several_things_are_the_mean_of_their_directions():
    np.testing.assert_allclose(direction_of(WORDS, ["cat", "teapot"]), np.array([1, 0, 0, 1]) / 2**0.5, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lion", r"'lion' is not known by name; try cat"),  # near in meaning
        ("teapod", "'teapod' is not known by name; try teapot"),  # near in spelling
        ("alarmclok", "'alarmclok' is not known by name; try alarm clock"),
        ("kiten", "'kiten' is not known by name; try cat"),  # near a synonym
        ("a kitten by the teapots", "'a kitten by the teapots' is not known by name; try cat"),
        ("peat", "'peat' is not known by name; draw it"),  # has three letters of teapot, in order
        ("quux", "'quux' is not known by name; draw it"),
        ("", "'' is not known by name; draw it"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_known(text, message):
    with pytest.raises(UnknownWordError, match=message) as caught:
        direction_of(WORDS, [text])
    assert "\n" not in str(caught.value)


def test_a_model_without_names_says_so():
    with pytest.raises(UnknownWordError, match="this model knows nothing by name; draw, or use the bundled model"):
        direction_of({}, ["cat"])
