"""Link what a package needs from this environment into another one, where the package is installed without it.

Usage: .venv/bin/python .ci/link_dependencies.py PACKAGE SITE_PACKAGES

Downloading and unpacking torch again would take minutes. Linked is what the package declares, and what that needs in
turn, and nothing else: an import that is not declared fails there as it would for a user.
"""

import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement


def link(package: str, site: Path) -> None:
    """Link the dependencies of a package that is installed in `site`."""
    waiting = _needed(next(Distribution.discover(name=package, path=[str(site)])), "")
    seen = set()
    while waiting:
        requirement = waiting.pop()
        found = distribution(requirement.name)
        if not requirement.specifier.contains(found.version, prereleases=True):
            sys.exit(f"{requirement} is declared, {found.version} is installed; remove .venv and run again")
        for extra in ("", *requirement.extras):
            if (found.name, extra) not in seen:
                seen.add((found.name, extra))
                waiting += _needed(found, extra)
                _link_files(found, site)


def _needed(found: Distribution, extra: str) -> list[Requirement]:
    requirements = [Requirement(line) for line in found.requires or ()]
    return [one for one in requirements if one.marker is None or one.marker.evaluate({"extra": extra})]


def _link_files(found: Distribution, site: Path) -> None:
    for name in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
        if not (site / name).exists():
            (site / name).symlink_to(Path(str(found.locate_file(name))).resolve())


if __name__ == "__main__":
    link(sys.argv[1], Path(sys.argv[2]))
