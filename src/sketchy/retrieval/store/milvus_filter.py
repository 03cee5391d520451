"""Ids, escaped strings and filter expressions for Milvus, whose expressions give some characters a meaning."""

import hashlib
import os
import re
from urllib.parse import unquote_to_bytes

from sketchy.retrieval.store.base import Where


def id_of(path: str) -> str:
    """Return the id of a photo, a hash of its path: writing a photo twice overwrites it."""
    return hashlib.blake2b(os.fsencode(path), digest_size=16).hexdigest()


def encode(text: str) -> str:
    """Escape as =XX the bytes that are not UTF-8 or have a meaning in an expression."""
    escaped = re.sub(rb"[\x00-\x1f\"'\\%_=]", lambda match: b"=%02X" % match[0][0], os.fsencode(text))
    return re.sub("[\udc80-\udcff]", lambda match: f"={ord(match[0]) & 0xFF:02X}", os.fsdecode(escaped))


def decode(text: str) -> str:
    """Undo `encode`."""
    return os.fsdecode(unquote_to_bytes(text.replace("=", "%")))


def quoted(text: str) -> str:
    """Quote an escaped string as a literal."""
    return f'"{text}"'


def starting_with(prefix: str) -> str:
    """Return the expression for paths that start with a prefix; empty for an empty prefix."""
    return f'path like "{encode(prefix)}%"' if prefix else ""


def filter_of(where: Where) -> str:
    """Return the expression for a filter: all that match pass, and some others, to be filtered again."""
    conditions = []
    if where.categories:
        conditions.append(f"category in [{', '.join(quoted(encode(name)) for name in where.spellings)}]")
    # The literal start of the glob, up to a character that may be stored in another Unicode form.
    if start := re.split(r"[*?\[]|[^\x00-\x7f]", where.glob or "", maxsplit=1)[0]:
        conditions.append(starting_with(start))
    if where.folders:
        conditions.append(f"({' or '.join(map(starting_with, where.prefixes))})")
    return " and ".join(conditions)
