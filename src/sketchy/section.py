"""The base class of the sections of a config, and the roles of settings."""

from enum import Enum
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict


class Role(Enum):
    """How a saved run treats a setting."""

    FREE = "a resumed run may change it"
    FIXED = "a resumed run must keep it"
    EMBEDDING = "a resumed run must keep it, and it is part of the fingerprint of the model's embeddings"
    PATH = "a file or folder: saved as an absolute path, free on resume, left out of the bundled model"


T = TypeVar("T")
Free = Annotated[T, Role.FREE]
Fixed = Annotated[T, Role.FIXED]
Embedding = Annotated[T, Role.EMBEDDING]
AsPath = Annotated[T, Role.PATH]


class Strict(BaseModel):
    """A frozen model without unknown keys, NaN and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Section(Strict):
    """A section of the config. Every field is annotated with exactly one role: `Free[int]`, `Fixed[float]`, ..."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Raise TypeError if a field does not have exactly one role."""
        for name, field in cls.model_fields.items():
            roles = [item for item in field.metadata if isinstance(item, Role)]
            if len(roles) != 1:
                raise TypeError(f"{cls.__name__}.{name} needs one of Free, Fixed, Embedding and AsPath")

    @classmethod
    def names(cls, *roles: Role) -> set[str]:
        """Return the names of the settings with one of these roles."""
        return {name for name, field in cls.model_fields.items() if any(role in field.metadata for role in roles)}
