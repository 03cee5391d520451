"""Parts of a backbone that do not learn."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from sketchy.errors import ConfigError


def freeze(backbone: nn.Module, patterns: Sequence[str]) -> list[nn.Module]:
    """Keep the weights of some modules of a network from learning.

    Args:
        backbone: the network.
        patterns: of the dotted names of its modules, as a shell has them; "*" is the network itself.

    Returns:
        The modules, none of which is within another. Who trains must put them into evaluation mode, so that their
        statistics stay too.

    Raises:
        ConfigError: a pattern fits no module.
    """
    frozen: dict[str, nn.Module] = {}
    for pattern in patterns:
        found = {name: module for name, module in backbone.named_modules() if fnmatchcase(name, pattern)}
        if not found:
            children = ", ".join(name for name, _ in backbone.named_children())
            raise ConfigError(f"train.freeze: no module of the backbone fits {pattern!r}; it begins with {children}")
        frozen |= found
    outermost = [module for name, module in frozen.items() if not _parents(name) & frozen.keys()]
    for module in outermost:
        module.requires_grad_(False)
    return outermost


def _parents(name: str) -> set[str]:
    """Return the names of all modules that hold one; the network itself is called ""."""
    parts = name.split(".")
    return {".".join(parts[:length]) for length in range(len(parts))} - {name}
