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
        format: Format of the folder; another one cannot be read.
        model: Fingerprint of the model.
        size: Size of an embedding, D.
        checkpoint: Where the checkpoint was.
        generation: Number of the current file of vectors.
        rows: Number of committed vectors in it; what follows them is garbage.
        photos: Number of files in the index.
        version: Rises with every change.
        updated: Time of the last change, in ISO format, UTC.
        ann_rows: Rows in the approximate index of this generation; 0 if there is none.
        ann_size: Bytes of its file.
        ann_crc: Checksum of the part of it whose damage matters.
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
