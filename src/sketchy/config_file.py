"""Reading a config: a YAML file with `key=value` overrides, validated all at once.

Every unknown key, wrong type and value out of range is named, with its dotted path.
"""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from sketchy.config import Config
from sketchy.errors import ConfigError
from sketchy.plain_yaml import LONGEST, read_yaml
from sketchy.storage import os_problem

RENAMED = {"data.held_out": "data.zero_shot", "model.layout": "model.spatial", "train.ema": None}
"""Settings of earlier versions: the name that each has now, None for one that was removed."""


def load_config(path: Path | None, overrides: Sequence[str] = (), *, of_run: bool = False) -> Config:
    """Read a YAML config and apply overrides.

    Args:
        path: The file; None starts from the defaults.
        overrides: `section.key=value`, the value in YAML; later ones win.
        of_run: Whether a run wrote the file, perhaps one of an earlier version.

    Raises:
        ConfigError: The file cannot be read, or any value is wrong; all problems are in the message.
    """
    tree = {} if path is None else _read_yaml(path)
    if of_run:
        tree = with_current_names(tree)
    source = "the settings" if path is None else f"{path} with --set" if overrides else str(path)
    for override in overrides:
        _apply(tree, override)
    return parse_config(tree, source)


def parse_config(tree: dict[str, Any], source: str, remedy: str | None = None) -> Config:
    """Validate a tree of plain values.

    Args:
        tree: The values as YAML gives them.
        source: Where they come from, for the message.
        remedy: What to do, for the message; None asks to correct them.

    Raises:
        ConfigError: Any value is wrong; all problems are in the message.
    """
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        problems = [_describe(problem) for problem in error.errors()]
        count, it = (f"{len(problems)} problems", "them") if len(problems) > 1 else ("1 problem", "it")
        head = f"{count} in {source}; {remedy or f'mend {it} and run again'}:"
        raise ConfigError(head, *problems) from None


def dump_config(config: Config) -> str:
    """Return the whole config as YAML, including every default."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def with_current_names(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the config of a run of an earlier version with its settings renamed, and without those removed since."""
    tree = {name: dict(section) if isinstance(section, dict) else section for name, section in tree.items()}
    for old, new in RENAMED.items():
        section, _, key = old.partition(".")
        if isinstance(tree.get(section), dict) and key in tree[section]:
            value = tree[section].pop(key)
            if new is not None:
                tree[section][new.partition(".")[2]] = value
    return tree


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:  # a device has no end
            content = file.read(4 * LONGEST)
        tree = read_yaml(content.decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(os_problem(error, path, "read")) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"cannot read the config {path}, line {line}: no UTF-8 text; name a YAML file") from None
    except ValueError as error:
        raise ConfigError(f"cannot use the config {path}, {error}; mend that line") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} holds no `section:` lines; see configs/default.yaml for the shape")
    return tree


def _apply(tree: dict[str, Any], override: str) -> None:
    """Set one `a.b=value` in the tree. Raises ConfigError."""
    dotted, equals, text = override.partition("=")
    if not equals or not dotted:
        raise ConfigError(f"--set {override}: no value; write it as section.key=value")
    *parents, leaf = dotted.strip().split(".")
    value = _override_value(override, text)
    for parent in parents:
        below = tree.setdefault(parent, {})
        if not isinstance(below, dict):
            raise ConfigError(f"--set {override}: {parent} is a value, not a section; see configs/default.yaml")
        tree = below
    tree[leaf] = value


def _override_value(override: str, text: str) -> Any:
    """Read a value as YAML, but for ` #`: the command line has no comments, so it belongs to the text."""
    plain = text.strip()
    if re.search("[\udc80-\udcff]", plain):  # bytes of a file name that are no text
        return plain
    try:
        value = read_yaml(text)
    except ValueError as error:
        reason = str(error).removeprefix("line 1: ")
        raise ConfigError(f"--set {override}: the value is not YAML ({reason}); quote it") from None
    is_text = isinstance(value, str) and plain[0] not in "'\"|>"
    return plain if is_text or plain.startswith("#") else value


def _describe(problem: Any) -> str:
    """Put one pydantic error as `path: what is wrong (got value)`."""
    path = [str(part) for part in problem["loc"]]
    if len(path) > 1 and path[0] in ("loss", "sampler"):
        del path[1]  # pydantic's name of the chosen variant, not a key of the file
    if not path and problem["type"] == "value_error":  # of sections together; the text names them
        return str(problem["ctx"]["error"])
    dotted = ".".join(path) or "the whole of it"
    if problem["type"] == "value_error":
        return f"{dotted}: {problem['ctx']['error']}"
    if problem["type"] == "extra_forbidden":
        return f"{dotted}: unknown key{_nearest(path, problem['loc'])}"
    if problem["type"] == "union_tag_invalid":
        return f"{dotted}.name: {problem['ctx']['tag']!r} is unknown; one of {problem['ctx']['expected_tags']}"
    if problem["type"] == "union_tag_not_found":
        return f"{dotted}.name: missing; say which {dotted}"
    return f"{dotted}: {problem['msg']} (got {problem['input']!r})"


def _nearest(path: list[str], location: Sequence[str | int]) -> str:
    """Say what became of an unknown key, or suggest the known key of its section that is most like it."""
    if (dotted := ".".join(path)) in RENAMED:
        new = RENAMED[dotted]
        return f"; it is called {new} now" if new else "; it was removed"
    section: Any = Config
    for part in location[:-1]:
        if hasattr(section, "model_fields"):
            section = section.model_fields[str(part)].annotation
        else:  # a union of variants, of which `part` names one
            section = next(v for v in get_args(section) if v.model_fields["name"].default == part)
    known = list(section.model_fields)
    close = difflib.get_close_matches(path[-1], known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"
