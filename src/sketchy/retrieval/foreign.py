"""Files and folders that other programs put among photos."""

DELETED_FOLDERS = frozenset(
    {
        "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "$recycle.bin", "recycler", "recycled",
        "system volume information", "lost+found", "files_trashbin",
    }
)  # fmt: skip
"""Names, in lower case, of folders where other programs keep deleted files."""
CACHES = frozenset(
    {"@eadir", "__macosx", "thumbs", "thumbnails", ".thumbnails", ".thumbs", "ipod photo cache", ".picasaoriginals"}
)
"""Names, in lower case, of folders where other programs keep smaller or earlier copies of photos."""
CACHE_SUFFIXES = (".lrdata",)
"""Suffixes, in lower case, of further such folders: the previews of Lightroom."""
COMPANIONS = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "picasa.ini", "zbthumbnail.info"})
COMPANION_SUFFIXES = (".aae", ".xmp", ".thm")
"""Names and suffixes, in lower case, of files that other programs put beside photos."""


def is_foreign(name: str) -> bool:
    """Return whether a folder of this name belongs to another program."""
    return name.lower() in DELETED_FOLDERS or is_cache(name)


def is_cache(name: str) -> bool:
    """Return whether a folder of this name holds only copies that nobody misses."""
    return name.lower() in CACHES or name.lower().endswith(CACHE_SUFFIXES)


def is_companion(name: str) -> bool:
    """Return whether a file of this name only belongs to another one, as those of macOS on foreign drives do."""
    lower = name.lower()
    return lower.startswith("._") or lower in COMPANIONS or lower.endswith(COMPANION_SUFFIXES)
