"""File names as users type them."""

import os
import re
from pathlib import Path


def expanded(text: str) -> str:
    """Expand a leading `~` or `~user` to the home folder, and check that the result is a valid file name.

    Call this once for each name that a user gives in an option, a setting or an environment variable. `~name` is a file
    of that name if there is no such user; `./~` always is a file.

    Raises:
        ValueError: The text is empty, contains a NUL or characters that the locale cannot encode, or begins with `~`
            although there is no home folder.
    """
    if not text:
        raise ValueError("an empty name; is a variable unset?")
    if "\0" in text:
        raise ValueError("a NUL character cannot be part of a file name")
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:
        raise ValueError(f"{text!a} cannot be a file name in {error.encoding}; set LC_ALL=C.UTF-8") from None
    path = os.path.expanduser(text)  # noqa: PTH111 - Path.expanduser would also take ./~ for the home folder
    if re.match(r"~(/|$)", text) and (re.match(r"~(/|$)", path) or os.environ.get("HOME") == ""):
        raise ValueError(f"cannot expand ~ in {text}: there is no home folder; write the full path")
    return path


def as_path(text: str) -> Path:
    """Return the result of `expanded` as a path. Raises ValueError."""
    return Path(expanded(text))
