"""Modules of a backbone that are not trained."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from sketchy.errors import ConfigError


def freeze(backbone: nn.Module, patterns: Sequence[str]) -> list[nn.Module]:
    """Exclude the weights of some modules of a network from training.

    Args:
        backbone: The network.
        patterns: Shell patterns for the dotted names of its modules; "*" is the network itself.

    Returns:
        The modules, none within another. In training they must be in evaluation mode, so that the statistics of their
        batch norms stay as well.

    Raises:
        ConfigError: A pattern matches no module.
    """
    frozen: dict[str, nn.Module] = {}
    for pattern in patterns:
        matching = {name: module for name, module in backbone.named_modules() if fnmatchcase(name, pattern)}
        if not matching:
            children = ", ".join(name for name, _ in backbone.named_children())
            raise ConfigError(
                f"train.freeze: no module of the backbone matches {pattern!r}; its outermost are {children}"
            )
        frozen |= matching
    outermost = [module for name, module in frozen.items() if not _parents(name) & frozen.keys()]
    for module in outermost:
        module.requires_grad_(False)
    return outermost


def _parents(name: str) -> set[str]:
    """Return the names of all modules that contain a module; the name of the network itself is ""."""
    parts = name.split(".")
    return {".".join(parts[:length]) for length in range(len(parts))} - {name}
