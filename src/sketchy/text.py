"""Text for terminals and scripts: escapes, strict JSON and tables."""

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len

UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that control a terminal or the direction of text, and are not shown."""
SURROGATES = re.compile("[\ud800-\udfff]")
"""Bytes of file names that cannot be decoded, as Python represents them (PEP 383)."""


def amount(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun, of which `many` is the plural if it is irregular."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def escape(found: re.Match[str]) -> str:
    """Return a matched character as an escape, as in \\n, \\x1b or \\u202e; an undecodable byte as in \\xe9."""
    code = ord(found[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else ascii(found[0])[1:-1]


def escaped(text: str) -> str:
    """Return the text with control characters escaped, so that it takes one line."""
    return UNSAFE.sub(escape, text)


def strict_json(tree: dict[str, Any]) -> str:
    """Return strict JSON: NaN and infinity are null, and control characters are escaped.

    An undecodable byte of a file name becomes the escape of a lone surrogate, `\\udc80` to `\\udcff`.
    """
    text = json.dumps(_finite(tree), indent=2, ensure_ascii=False, allow_nan=False)
    return re.sub(f"(?!\n){UNSAFE.pattern}|{SURROGATES.pattern}", lambda found: f"\\u{ord(found[0]):04x}", text)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table with a header; text is aligned to the left, numbers to the right."""
    return "\n".join(table_lines(header, rows))


def table_lines(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return the lines of a table; see `table`."""
    cells = [[escaped(str(cell)) for cell in row] for row in rows]
    widths = [max(cell_len(line[column]) for line in [list(header), *cells]) for column in range(len(header))]
    numeric = [
        bool(rows) and all(isinstance(row[column], int | float) for row in rows) for column in range(len(header))
    ]

    def line(texts: Sequence[str]) -> str:
        spaces = [" " * (width - cell_len(text)) for text, width in zip(texts, widths, strict=True)]
        padded = (s + t if n else t + s for s, t, n in zip(spaces, texts, numeric, strict=True))
        return "  ".join(padded).rstrip()

    return [line(header), "  ".join("-" * width for width in widths), *map(line, cells)]
