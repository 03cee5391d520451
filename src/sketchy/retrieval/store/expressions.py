"""Names and conditions in the words of Milvus, in which some characters mean something."""

import hashlib
import os
import re
from urllib.parse import unquote_to_bytes

from sketchy.retrieval.store.base import Where


def id_of(path: str) -> str:
    """Return the stable id of a photo: the same wherever and whenever it is written."""
    return hashlib.blake2b(os.fsencode(path), digest_size=16).hexdigest()


def encode(text: str) -> str:
    """Write as =XX all that is no UTF-8, or means something in an expression; other text stays as it is."""
    escaped = re.sub(rb"[\x00-\x1f\"'\\%_=]", lambda found: b"=%02X" % found[0][0], os.fsencode(text))
    return re.sub("[\udc80-\udcff]", lambda found: f"={ord(found[0]) & 0xFF:02X}", os.fsdecode(escaped))


def decode(text: str) -> str:
    """Read what `encode` wrote."""
    return os.fsdecode(unquote_to_bytes(text.replace("=", "%")))


def quoted(text: str) -> str:
    """Write an encoded text as a value."""
    return f'"{text}"'


def starting_with(prefix: str) -> str:
    """Write that a path starts with a prefix; nothing for the empty one."""
    return f'path like "{encode(prefix)}%"' if prefix else ""


def filter_of(where: Where) -> str:
    """Write what Milvus can tell apart; it lets through all that fits, and of a glob some that does not."""
    conditions = []
    if where.categories:
        conditions.append(f"category in [{', '.join(quoted(encode(name)) for name in where.spellings)}]")
    start = re.split(r"[*?\[]|[^\x00-\x7f]", where.glob or "", maxsplit=1)[
        0
    ]  # other text may be in another Unicode form
    if start:
        conditions.append(starting_with(start))
    return " and ".join(conditions)
