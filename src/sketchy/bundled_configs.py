"""The configs that come with the package, which go by their names."""

import difflib
import re
from pathlib import Path

from sketchy.errors import ConfigError
from sketchy.results import ConfigSummary

FOLDER = Path(__file__).with_name("configs")
FACTS = ("network", "time", "quality")
"""What the head of each of these files says in a comment such as `# time: 20 minutes`."""


def config_path(text: str) -> Path:
    """Return the file that a user means: a path if it has a slash or ends in .yaml or .yml, else the name of a config.

    Raises:
        ConfigError: No config has this name.
    """
    if "/" in text or text.endswith((".yaml", ".yml")):
        return Path(text)
    files = {file.stem: file for file in FOLDER.glob("*.yaml")}
    if text not in files:
        close = difflib.get_close_matches(text, files, n=1)
        raise ConfigError(
            f"no config is called {text}; "
            + (f"did you mean {close[0]}?" if close else "`sketchy configs` lists them; a file ends in .yaml")
        )
    return files[text]


def config_summaries() -> list[ConfigSummary]:
    """Return what is known of every config, sorted by name."""
    return [_summary(file) for file in sorted(FOLDER.glob("*.yaml"))]


def _summary(file: Path) -> ConfigSummary:
    facts = dict(re.findall(r"^# (\w+): (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE))
    return ConfigSummary(file.stem, *(facts[name] for name in FACTS))
