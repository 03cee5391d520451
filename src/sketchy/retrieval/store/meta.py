"""What an index folder says about itself, as one checked line of JSON."""

import json
import zlib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from sketchy.errors import FormatError
from sketchy.retrieval.store.faults import Damage

FORMAT = 1
"""Of an index folder; rises when an older version could not read it."""


@dataclass(frozen=True)
class Meta:
    """What an index says about itself.

    Attributes:
        format: of the folder; another one cannot be read.
        model: hash of what makes the embeddings.
        size: D, numbers in an embedding.
        checkpoint: where the model lay.
        generation: which file of vectors counts.
        rows: vectors in it that count; what lies behind them is garbage.
        photos: files in it.
        version: rises with every change.
        updated: when, in ISO format, UTC.
        ann_rows: rows in the approximate index of this generation; 0 where there is none.
        ann_size: bytes of its file.
        ann_crc: checksum of the part that matters.
    """

    model: str
    size: int
    checkpoint: str
    format: int = FORMAT
    generation: int = 1
    rows: int = 0
    photos: int = 0
    version: int = 0
    updated: str = ""
    ann_rows: int = 0
    ann_size: int = 0
    ann_crc: int = 0

    def encoded(self) -> tuple[str, int]:
        """Return it as JSON, with a checksum."""
        text = json.dumps(asdict(self))
        return text, zlib.crc32(text.encode())

    @classmethod
    def decoded(cls, text: object, crc: object, folder: Path) -> Self:
        """Read what `encoded` returned; `folder` is the index.

        Raises:
            Damage: It is not what was written.
            FormatError: The index is of another format.
        """
        if not isinstance(text, str) or zlib.crc32(text.encode()) != crc:
            raise Damage("its description is not what was written")
        content = json.loads(text)
        if content.get("format", FORMAT) != FORMAT:
            raise FormatError(
                f"the index {folder} has format {content['format']}, this version reads {FORMAT}; upgrade sketchy, or "
                f"run `sketchy index PHOTOS --out {folder} --force` to make it anew"
            )
        known = {field.name: content.get(field.name) for field in fields(cls)}  # later versions may add some
        if wrong := [name for name, value in known.items() if value is None]:
            raise Damage(f"its description has no {wrong[0]}")
        return cls(**known)
