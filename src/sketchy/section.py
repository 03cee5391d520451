"""The base of every config section: frozen, closed to unknown keys, and each setting declares its role."""

from enum import Enum
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict


class Role(Enum):
    """What a setting means to a run that was saved with it."""

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
    """A frozen model that refuses unknown keys and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Section(Strict):
    """A section of the config. Every field is annotated with exactly one role: `Free[int]`, `Fixed[float]`, ..."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a section with a field that declares no role, or two. Raises TypeError."""
        for name, field in cls.model_fields.items():
            roles = [item for item in field.metadata if isinstance(item, Role)]
            if len(roles) != 1:
                raise TypeError(f"{cls.__name__}.{name} needs one of Free, Fixed, Embedding and AsPath")

    @classmethod
    def names(cls, *roles: Role) -> set[str]:
        """Return the names of the settings that have one of the roles."""
        return {name for name, field in cls.model_fields.items() if any(role in field.metadata for role in roles)}
