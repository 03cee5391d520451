"""Read a config: a YAML file, the config that its `base` names, and `key=value` overrides.

An invalid config raises one error that names every unknown key, wrong type and value out of range.
"""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from sketchy.bundled_configs import config_path
from sketchy.config import Config
from sketchy.errors import ConfigError
from sketchy.paths import expanded
from sketchy.plain_yaml import LONGEST, read_yaml
from sketchy.storage import os_problem

RENAMED = {
    "data.extra_sketches": "data.sketches",
    "data.held_out": "data.zero_shot",
    "model.layout": "model.spatial",
    "train.ema": None,
}
"""Settings of earlier versions, with their present names; None if they were removed."""


def load_config(path: Path | None, overrides: Sequence[str] = (), *, of_run: bool = False) -> Config:
    """Read a YAML config, merge it over its base, and apply overrides.

    Args:
        path: Path of the file; None for the defaults.
        overrides: Settings as `section.key=value`, with the value in YAML; later ones have precedence.
        of_run: Whether the file was written by a run, which may be of an earlier version.

    Raises:
        ConfigError: The file cannot be read, or it is invalid; the message lists every problem.
    """
    tree, sources = {}, ["the settings"]
    if path is not None:
        tree = read_tree(path)
        sources = [str(path), *["its base"] * ("base" in tree), *["--set"] * bool(overrides)]
        tree = _over_base(tree, path)
    if of_run:
        tree = with_current_names(tree)
    for override in overrides:
        _apply(tree, override)
    return parse_config(tree, " with ".join(sources[:2]) + "".join(f" and {source}" for source in sources[2:]))


def parse_config(tree: dict[str, Any], source: str, remedy: str | None = None) -> Config:
    """Validate a tree of plain values.

    Args:
        tree: The values, as read from YAML.
        source: Name of their source, for the message.
        remedy: What to do, for the message; None for a request to correct them.

    Raises:
        ConfigError: The config is invalid; the message lists every problem.
    """
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        problems = [_describe(problem) for problem in error.errors()]
        count, it = (f"{len(problems)} problems", "them") if len(problems) > 1 else ("1 problem", "it")
        head = f"{count} in {source}; {remedy or f'correct {it} and run again'}:"
        raise ConfigError(head, *problems) from None


def dump_config(config: Config) -> str:
    """Return the whole config as YAML, including every default."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def with_current_names(tree: dict[str, Any]) -> dict[str, Any]:
    """Rename the settings in the config of a run of an earlier version, and drop those that were removed since."""
    tree = {name: dict(section) if isinstance(section, dict) else section for name, section in tree.items()}
    for old, new in RENAMED.items():
        section, _, key = old.partition(".")
        if isinstance(tree.get(section), dict) and key in tree[section]:
            value = tree[section].pop(key)
            if new is not None:
                tree[section][new.partition(".")[2]] = value
    return tree


def read_tree(path: Path) -> dict[str, Any]:
    """Return the values of a config as they are in the file. Raises ConfigError if it cannot be read."""
    try:
        with path.open("rb") as file:  # as a device may never end
            content = file.read(4 * LONGEST)
        tree = read_yaml(content.decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(os_problem(error, path, "read")) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"cannot read the config {path}, line {line}: not UTF-8 text; name a YAML file") from None
    except ValueError as error:
        raise ConfigError(f"cannot use the config {path}, {error}; correct that line") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} has no `section:` lines; see `sketchy configs recommended` for an example")
    return tree


def _over_base(tree: dict[str, Any], path: Path, built_on_it: Sequence[Path] = ()) -> dict[str, Any]:
    """Merge a config over the one that its `base` names.

    Args:
        tree: The config.
        path: Its file, from whose folder the path of a base starts.
        built_on_it: The files that are built on this one.

    Raises:
        ConfigError: A base is unknown, cannot be read, or is built on itself.
    """
    base = tree.pop("base", None)
    if base is None:
        return tree
    try:
        if not isinstance(base, str):
            raise ConfigError(f"it must be the name or the path of one config (got {base!r})")
        file = path.parent / config_path(expanded(base))
        if file.resolve() in [used.resolve() for used in (*built_on_it, path)]:
            raise ConfigError(f"{file} is built on itself; remove one of these bases")
        below = _over_base(read_tree(file), file, (*built_on_it, path))
    except (ConfigError, ValueError) as error:
        raise ConfigError(f"{path}: base: {error}") from None
    return _merged(below, tree)


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return the base with `own` settings in it; a section with another `name`, such as a loss, is replaced whole."""
    if "name" in own and own["name"] != base.get("name"):
        return own
    merged = base | own
    for key in base.keys() & own.keys():
        if isinstance(base[key], dict) and isinstance(own[key], dict):
            merged[key] = _merged(base[key], own[key])
    return merged


def _apply(tree: dict[str, Any], override: str) -> None:
    """Apply an override `a.b=value` to the tree. Raises ConfigError."""
    dotted, equals, text = override.partition("=")
    if not equals or not dotted:
        raise ConfigError(f"--set {override}: no value; write it as section.key=value")
    *parents, leaf = dotted.strip().split(".")
    value = _override_value(override, text)
    for parent in parents:
        below = tree.setdefault(parent, {})
        if not isinstance(below, dict):
            raise ConfigError(
                f"--set {override}: {parent} is a value, not a section; see `sketchy configs recommended`"
            )
        tree = below
    tree[leaf] = value


def _override_value(override: str, text: str) -> Any:
    """Read a value as YAML, except that ` #` does not start a comment."""
    plain = text.strip()
    if re.search("[\udc80-\udcff]", plain):  # undecodable bytes of a file name
        return plain
    try:
        value = read_yaml(text)
    except ValueError as error:
        reason = str(error).removeprefix("line 1: ")
        raise ConfigError(f"--set {override}: the value is not YAML ({reason}); quote it") from None
    is_text = isinstance(value, str) and plain[0] not in "'\"|>"
    return plain if is_text or plain.startswith("#") else value


def _describe(problem: Any) -> str:
    """Return a pydantic error in the form `path: what is wrong (got value)`."""
    path = [str(part) for part in problem["loc"]]
    if len(path) > 1 and path[0] in ("loss", "sampler"):
        del path[1]  # pydantic's name for the variant, not a key of the file
    if not path and problem["type"] == "value_error":  # concerns several sections, which its text names
        return str(problem["ctx"]["error"])
    dotted = ".".join(path) or "the whole config"
    if problem["type"] == "value_error":
        return f"{dotted}: {problem['ctx']['error']}"
    if problem["type"] == "extra_forbidden":
        return f"{dotted}: unknown key{_nearest(path, problem['loc'])}"
    if problem["type"] == "union_tag_invalid":
        return f"{dotted}.name: {problem['ctx']['tag']!r} is unknown; one of {problem['ctx']['expected_tags']}"
    if problem["type"] == "union_tag_not_found":
        return f"{dotted}.name: missing; choose a {dotted}"
    return f"{dotted}: {problem['msg']} (got {problem['input']!r})"


def _nearest(path: list[str], location: Sequence[str | int]) -> str:
    """Return the present name of a renamed key, or the most similar key of its section."""
    if (dotted := ".".join(path)) in RENAMED:
        new = RENAMED[dotted]
        return f"; it is now called {new}" if new else "; it was removed"
    section: Any = Config
    for part in location[:-1]:
        if hasattr(section, "model_fields"):
            section = section.model_fields[str(part)].annotation
        else:  # `part` names one variant of a union
            section = next(v for v in get_args(section) if v.model_fields["name"].default == part)
    known = list(section.model_fields)
    close = difflib.get_close_matches(path[-1], known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"
