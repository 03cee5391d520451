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
        The modules. Those who train must put them into evaluation mode, so that their statistics stay too.

    Raises:
        ConfigError: a pattern fits no module.
    """
    frozen = []
    for pattern in patterns:
        found = [module for name, module in backbone.named_modules() if fnmatchcase(name, pattern)]
        if not found:
            children = ", ".join(name for name, _ in backbone.named_children())
            raise ConfigError(f"train.freeze: no module of the backbone fits {pattern!r}; it begins with {children}")
        frozen += found
    for module in frozen:
        module.requires_grad_(False)
    return frozen
