"""Retired terms stay out of the code and the docs; the glossary lists them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"
ROWS = [
    line for line in GLOSSARY.read_text(encoding="utf-8").partition("## Retired terms")[2].splitlines() if "|" in line
]
RETIRED = [term for row in ROWS for term in re.findall(r"`([^`]+)`", row.split("|")[1])]
FOLDERS = {"src": ("*.py", "*.js", "*.html", "*.j2"), "docs": ("*.md",), "scripts": ("*",)}
FILES = [
    ROOT / "README.md",
    *sorted(
        path
        for folder, patterns in FOLDERS.items()
        for pattern in patterns
        for path in (ROOT / folder).rglob(pattern)
        if path.is_file() and path != GLOSSARY and "__pycache__" not in path.parts
    ),
]
TEXTS = {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in FILES}


def pattern(term: str) -> re.Pattern[str]:
    """Match a term as a whole word or phrase, whatever its white space; names with capitals as they are."""
    words = r"\s+".join(map(re.escape, term.split()))
    return re.compile(rf"(?<![A-Za-z]){words}(?![A-Za-z])", re.IGNORECASE if term.islower() else 0)


def test_there_are_terms_and_files_to_check():
    assert len(RETIRED) > 10
    assert len(FILES) > 100


@pytest.mark.parametrize("term", RETIRED)
def test_a_retired_term_is_used_nowhere(term):
    found = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
        for path, text in TEXTS.items()
        for match in pattern(term).finditer(text)
    ]
    assert not found, f"{term!r} is retired, see docs/glossary.md: {', '.join(found)}"


@pytest.mark.parametrize("text", ["the ledger", "A LEDGER.", "in the\n    box", "open_ledger"])
def test_a_planted_term_is_found(text):
    assert any(pattern(term).search(text) for term in RETIRED)
