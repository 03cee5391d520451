"""File names as people type them."""

import os
import re
from pathlib import Path


def expanded(text: str) -> str:
    """Put the home folder in place of a leading `~` or `~user`, and check that the rest can be a file name.

    This is done once, where a name comes in: an option, a setting, an environment variable. `~name` where there is no
    such user is a file of that name, and `./~` is never anything else.

    Raises:
        ValueError: The text is empty, holds a NUL, has characters that this locale cannot write, or begins with `~`
            and there is no home folder.
    """
    if not text:
        raise ValueError("an empty name; is a variable unset?")
    if "\0" in text:
        raise ValueError("a NUL character cannot be part of a file name")
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:
        raise ValueError(f"{text!a} cannot be a file name in {error.encoding}; set LC_ALL=C.UTF-8") from None
    whole = os.path.expanduser(text)  # noqa: PTH111 - Path.expanduser would also take ./~ for the home folder
    if re.match(r"~(/|$)", text) and (re.match(r"~(/|$)", whole) or os.environ.get("HOME") == ""):
        raise ValueError(f"no home folder to put in place of ~ in {text}; write the whole path")
    return whole


def as_path(text: str) -> Path:
    """Return `expanded` as a path. Raises ValueError as it does."""
    return Path(expanded(text))
