"""The part of YAML that configs use, in which a text has one meaning.

YAML 1.1, which PyYAML reads, takes `no` for false, 1:30 for 90, 010 for 8 and a date for a date, and drops the first of
two equal keys. Here a plain word is null, true, false, a decimal number or text, and what the versions of YAML read as
different numbers is refused. So are equal keys, tags, and aliases that grow beyond any config.
"""

import re
from typing import Any

import yaml

LONGEST = 200_000
"""Characters of a file."""
MOST_VALUES = 10_000
"""Values, each alias counted as what it stands for."""
DEEPEST = 20
"""Levels of lists and sections."""

_WORDS = {"": None, "~": None, "true": True, "false": False, "null": None}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*([eE][-+][0-9]+)?|\.[0-9]+([eE][-+][0-9]+)?|\.inf|\.nan)", re.IGNORECASE)
_TWO_NUMBERS = re.compile(r"[-+]?0[0-9_]+")
"""Octal in YAML 1.1, decimal in YAML 1.2."""


def read_yaml(text: str) -> Any:
    """Read one document into dicts with text keys, lists, and plain values; None where there is nothing.

    Raises:
        ValueError: `line N: what is wrong`.
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
        raise ValueError("line 1: lists or sections too deep in each other") from None
    return None if node is None else _Builder().build(node, 0)


class _Loader(yaml.SafeLoader):
    """Leaves every plain word as text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the base class has it


class _Builder:
    """Makes values of nodes and counts them."""

    def __init__(self) -> None:
        self._count = 0

    def build(self, node: yaml.Node, depth: int) -> Any:
        """Return the value of a node and of all below it."""
        self._count += 1
        if self._count > MOST_VALUES or depth > DEEPEST:
            raise _at(node, "too many or too deep values; aliases count as what they stand for")
        if node.tag not in _TAGS:
            raise _at(node, f"the tag {node.tag} is not used in configs")
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
                raise _at(key, "a key is a word, not a list or a section")
            if key.value in lines:
                raise _at(key, f"`{key.value}` is there already, in line {lines[key.value]}; make one of the two")
            lines[key.value] = _line(key)
            section[key.value] = self.build(value, depth + 1)
        return section


_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:str")


def _plain(node: yaml.ScalarNode) -> Any:
    word: str = node.value
    if word.lower() in _WORDS and word in (word.lower(), word.upper(), word.capitalize()):
        return _WORDS[word.lower()]
    if _TWO_NUMBERS.fullmatch(word):
        raise _at(node, f"{word} is another number in octal; write it without the leading 0, or as '{word}'")
    if _INTEGER.fullmatch(word):
        return int(word)
    if _FLOAT.fullmatch(word):
        return float(word.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return word


def _at(node: yaml.Node, problem: str) -> ValueError:
    return ValueError(f"line {_line(node)}: {problem}")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
