"""Find a photo by drawing it: sketch-based image retrieval.

    import sketchy

    model = sketchy.load()
    with model.index("~/Pictures") as index:
        for hit in index.search("drawing.png", k=5):
            print(hit.distance, hit.path)

See docs/python.md for more. Modules that need PyTorch are imported on first use, so that `import sketchy` is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sketchy.errors import SketchyError

if TYPE_CHECKING:
    from sketchy.api import evaluate, load, train
    from sketchy.results import Advice, Hit, Hits
    from sketchy.retrieval.index import Index
    from sketchy.retrieval.model import Model

__version__ = "0.1.0"
__all__ = ["Advice", "Hit", "Hits", "Index", "Model", "SketchyError", "__version__", "evaluate", "load", "train"]

_MODULES = {
    **dict.fromkeys(("Advice", "Hit", "Hits"), "sketchy.results"),
    "Index": "sketchy.retrieval.index",
    "Model": "sketchy.retrieval.model",
    **dict.fromkeys(("evaluate", "load", "train"), "sketchy.api"),
}


def __getattr__(name: str) -> Any:
    """Import an exported name on first access."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(import_module(_MODULES[name]), name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
