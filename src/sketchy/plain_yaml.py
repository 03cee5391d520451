"""Read the subset of YAML in which configs are written, where every value has only one meaning.

YAML 1.1, which PyYAML reads, turns `no` into false, 1:30 into 90, 010 into 8, and drops the first of two equal keys. In
this subset an unquoted word is null, true, false, a decimal number or text. Words that are different numbers to other
versions of YAML are refused; so are duplicate keys, tags, and aliases that expand to more values than a config needs.
"""

import re
from typing import Any

import yaml

LONGEST = 200_000
"""Largest length of a file in characters."""
MOST_VALUES = 10_000
"""Largest number of values, with aliases expanded."""
DEEPEST = 20
"""Largest number of nested lists and sections."""

_WORDS = {"": None, "~": None, "true": True, "false": False, "null": None}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*([eE][-+][0-9]+)?|\.[0-9]+([eE][-+][0-9]+)?|\.inf|\.nan)", re.IGNORECASE)
_OCTAL = re.compile(r"[-+]?0[0-9_]+")
"""Numbers that are octal in YAML 1.1 and decimal in YAML 1.2."""


def read_yaml(text: str) -> Any:
    """Read a document into dicts with text keys, lists, and plain values; None if it is empty.

    Raises:
        ValueError: The text is not in the subset; the message is `line N: what is wrong`.
    """
    if len(text) > LONGEST:
        raise ValueError(f"line 1: longer than {LONGEST:,} characters")
    try:
        node = yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ValueError(f"line {mark.line + 1 if mark else 1}: {error.problem}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ValueError(f"line {line}: {error.reason}") from None
    except RecursionError:
        raise ValueError("line 1: lists or sections are nested too deeply") from None
    return None if node is None else _Builder().build(node, 0)


class _Loader(yaml.SafeLoader):
    """Loads every unquoted word as text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the base class declares it this way


class _Builder:
    """Converts nodes to values, and counts them."""

    def __init__(self) -> None:
        self._count = 0

    def build(self, node: yaml.Node, depth: int) -> Any:
        """Return the value of a node, including those below it."""
        self._count += 1
        if self._count > MOST_VALUES or depth > DEEPEST:
            raise _error(node, "too many values, or nested too deeply; aliases count as the values that they repeat")
        if node.tag not in _TAGS:
            raise _error(node, f"the tag {node.tag} is not allowed in configs")
        if isinstance(node, yaml.MappingNode):
            return self._section(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, depth + 1) for item in node.value]
        return _plain(node) if isinstance(node, yaml.ScalarNode) and node.style is None else node.value

    def _section(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        section: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _error(key, "a key must be a word, not a list or a section")
            if key.value in lines:
                raise _error(key, f"`{key.value}` is already in line {lines[key.value]}; remove one of the two")
            lines[key.value] = _line(key)
            section[key.value] = self.build(value, depth + 1)
        return section


_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:str")


def _plain(node: yaml.ScalarNode) -> Any:
    word: str = node.value
    if word.lower() in _WORDS and word in (word.lower(), word.upper(), word.capitalize()):
        return _WORDS[word.lower()]
    if _OCTAL.fullmatch(word):
        raise _error(node, f"{word} is octal to some readers; write it without the leading 0, or as '{word}'")
    if _INTEGER.fullmatch(word):
        return _integer(node)
    if _FLOAT.fullmatch(word):
        return float(word.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return word


def _integer(node: yaml.ScalarNode) -> int:
    try:
        return int(node.value)
    except ValueError:  # Python limits the digits
        raise _error(node, "the number has too many digits") from None


def _error(node: yaml.Node, problem: str) -> ValueError:
    return ValueError(f"line {_line(node)}: {problem}")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
