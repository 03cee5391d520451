import pytest

from sketchy.plain_yaml import read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2020-01-01", "2020-01-01"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("'010'", "010"),
        ("-12", -12),
        ("0.5", 0.5),
        ("1.5e-3", 0.0015),
        ("-.inf", float("-inf")),
        ("1e-3", "1e-3"),
        ("True", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("\ufeffa: 1", {"a": 1}),
        ("yes: 1", {"yes": 1}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
    ],
)
def test_an_unquoted_word_has_one_meaning(text, value):
    assert read_yaml(text) == value


def test_a_number_of_too_many_digits_is_refused_with_its_line():
    with pytest.raises(ValueError, match=r"^line 2: the number has too many digits$"):
        read_yaml(f"a: 1\nb: {'9' * 5000}")


def test_aliases_that_expand_to_many_values_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(ValueError, match="too many values, or nested too deeply"):
        read_yaml("\n".join(lines))
