"""Searching by words: the things that a model knows by name."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from sketchy.dataset.things import canonical, names_of, related
from sketchy.errors import UnknownWordError

MAX_SUGGESTIONS = 5
CUTOFF = 0.7
"""Least similarity of a suggestion, as `difflib` measures it."""


def direction_of(words: Mapping[str, NDArray[np.float16]], texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the mean direction of some things.

    Args:
        words: See `Description.words`.
        texts: At least one name of a thing each: in any spelling, with or without an article, also in the plural.

    Returns:
        Unit vector, shape (A,), float32.

    Raises:
        UnknownWordError: The model has no names, or not this one; the message has the nearest that it knows.
    """
    if not words:
        raise UnknownWordError("this model knows nothing by name; draw, or use the bundled model")
    mean: NDArray[np.float32] = np.mean([words[_known(words, text)] for text in texts], 0, np.float32)
    return mean / max(float(np.linalg.norm(mean)), 1e-12)


def _known(words: Mapping[str, NDArray[np.float16]], text: str) -> str:
    bare = text.strip().lower()
    for article in ("a ", "an ", "the "):
        bare = bare.removeprefix(article)
    for form in (bare, bare.removesuffix("s"), bare.removesuffix("es"), bare.removesuffix("ies") + "y"):
        if (name := canonical(form)) in words:
            return name
    near = ", ".join(spoken(name) for name in _nearest(words, bare))
    raise UnknownWordError(f"{text!r} is not known by name; {f'try {near}' if near else 'draw it'}")


def _nearest(words: Mapping[str, NDArray[np.float16]], text: str) -> list[str]:
    """Return the known things that a text names among others, then the nearest in meaning, then in spelling.

    The meaning is that of things.yaml.
    """
    named = [name for name in map(canonical, text.split()) if name in words]
    close = [name for name in words if related(name, text)]
    spellings = {spoken(name): thing for thing in words for name in names_of(thing)}
    alike = [spellings[match] for match in get_close_matches(spoken(text), spellings, MAX_SUGGESTIONS, CUTOFF)]
    return list(dict.fromkeys([*named, *close, *alike]))[:MAX_SUGGESTIONS]


def spoken(name: str) -> str:
    """Return a thing's name as people write it: "alarm clock" for `alarm_clock`."""
    return name.replace("_", " ")
