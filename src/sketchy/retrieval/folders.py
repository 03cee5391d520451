"""The folders of a gallery, by names that a person would give them."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from sketchy.errors import GalleryError
from sketchy.paths import expanded
from sketchy.retrieval.store.base import nfc

MAX_SUGGESTIONS = 5
"""Folders suggested in place of an unknown one."""


class Folders:
    """The folders of a gallery with the number of photos below each.

    Args:
        counts: Number of photos directly in each folder, by absolute path.

    Attributes:
        root: The folder that contains all photos.
        photos: Number of photos at any depth by absolute path, for the folders below `root`, in the order of a tree.
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.root = os.path.commonpath(counts) if counts else os.sep
        total: Counter[str] = Counter()
        for folder, count in counts.items():
            while len(folder) > len(self.root):
                total[folder] += count
                folder = os.path.dirname(folder)  # noqa: PTH120 - speed
        self.photos = dict(sorted(total.items(), key=lambda item: Path(item[0]).parts))
        self._by_name = {nfc(folder): folder for folder in self.photos}

    @classmethod
    def of(cls, paths: Iterable[str]) -> "Folders":
        """Return the folders of photos with these absolute paths."""
        return cls(Counter(path.rpartition(os.sep)[0] or os.sep for path in paths))

    def name(self, folder: str) -> str:
        """Return the path of a folder below `root`, and of `root` its own name."""
        return os.path.relpath(folder, self.root) if folder != self.root else os.path.basename(folder)  # noqa: PTH119

    def find(self, name: str) -> str:
        """Return the absolute path of a folder.

        Args:
            name: Absolute path, or path below `root` or, if there is none, below a folder that contains `root`.
                Unicode forms make no difference.

        Raises:
            GalleryError: It has no photo; the message names the most similar folders.
        """
        wanted = os.path.normpath(nfc(expanded(name)))
        root = Path(nfc(self.root))
        for above in (root, *root.parents):
            folder = str(above / wanted)
            if Path(folder) in (root, *root.parents):
                return self.root
            if folder in self._by_name:
                return self._by_name[folder]
        raise GalleryError(f"no photo is in a folder {name!r}; {self._remedy(wanted)}")

    def _remedy(self, wanted: str) -> str:
        """Return which folders have the same end as the wanted one or similar letters, else the first ones."""
        names = [self.name(folder) for folder in self.photos]
        if not names:
            return f"all are in {self.root}"
        ends: dict[str, list[str]] = {}
        for name in names:
            ends.setdefault(Path(name).name.casefold(), []).append(name)
        end = Path(wanted).name.casefold()
        near = [name for other in get_close_matches(end, ends, MAX_SUGGESTIONS) for name in ends[other]]
        similar = [*get_close_matches(wanted, ends.get(end, ()), MAX_SUGGESTIONS, 0), *near]
        similar += get_close_matches(wanted, names, MAX_SUGGESTIONS)
        if similar:
            return f"try {', '.join(list(dict.fromkeys(similar))[:MAX_SUGGESTIONS])}"
        first = ", ".join(names[:MAX_SUGGESTIONS]) + " ..." * (len(names) > MAX_SUGGESTIONS)
        return f"below {self.root} there are {first}"
