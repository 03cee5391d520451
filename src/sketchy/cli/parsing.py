"""Parsing the values of options."""

import os
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TypeVar

import typer

from sketchy.evaluation.metrics import PROTOCOLS
from sketchy.paths import expanded
from sketchy.retrieval.dates import first_day, last_day

Value = TypeVar("Value", str | None, list[str] | None)


def path(text: str) -> Path:
    """Parse the path of a file or a folder; `~` is expanded only here."""
    return Path(_expanded(str(text)))


def address(text: str) -> str:
    """Parse the path of a file or a folder, or the address of a server."""
    return text if re.match(r"\w+://", text) else _expanded(text)


def path_glob(text: str) -> str:
    """Parse a glob of paths: a shell expands its `~` neither in quotes nor after `=`."""
    return _expanded(text)


def since(text: str) -> date:
    """Parse the first day of a period."""
    return _day(first_day, text)


def until(text: str) -> date:
    """Parse the last day of a period."""
    return _day(last_day, text)


def _day(parse: Callable[[str], date], text: str) -> date:
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def protocol_name(text: str) -> str:
    """Parse the name of an evaluation protocol."""
    if text not in PROTOCOLS:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(map(repr, PROTOCOLS))}.")
    return text


def run_name(text: str) -> str:
    """Parse the name of a run: the name of one folder, not a path."""
    if text in (".", "..", "~") or set(text) & {"/", os.sep, "\0"}:
        raise typer.BadParameter(f"{text!r} is not the name of one folder; choose its parent folder with --runs")
    return text


def _expanded(text: str) -> str:
    try:
        return expanded(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def refuse_empty(value: Value) -> Value:
    """Refuse an empty text, or one among several, which usually comes from an unset variable."""
    texts = [value] if isinstance(value, str) else value or []
    if not all(text.strip() for text in texts):
        raise typer.BadParameter("it is empty; leave the option out, or give it a value")
    return value
