"""The layers of the package, held by its imports."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "sketchy"

# From the top down. A module may import from lines below its own; names on one line do not import each other.
LAYERS = [
    ("__main__",),
    ("cli",),
    ("api",),
    ("commands", "report"),
    ("web", "trainer"),
    ("evaluation",),
    ("retrieval",),
    ("inference",),
    ("dataset", "model", "loss", "demo"),
    ("preprocess", "distance", "runtime", "single_mark"),
    ("photo_or_drawing",),
    ("image", "ink"),
    ("containers", "paper"),
    ("texture", "bands", "color", "text"),
    ("config_file",),
    ("bundled_configs",),
    ("results", "processes"),
    ("config",),
    ("choices",),
    ("section", "storage", "extras"),
    ("errors", "interrupts", "paths", "plain_yaml", "ahead", "progress"),
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FILES = sorted(SOURCE.rglob("*.py"))


def imported(tree: ast.AST) -> set[str]:
    """Dotted names of every import, also those inside functions."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def own_layer(file: Path) -> str:
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def violations(file: Path, source: str) -> list[str]:
    """Imports of this project that do not go down."""
    own = own_layer(file)
    if own == "__init__":
        return []
    wrong = []
    for name in imported(ast.parse(source)):
        parts = name.split(".")
        if parts[0] != "sketchy" or len(parts) < 2 or parts[1] not in LEVEL:
            continue
        sideways = parts[1] == own and own == "commands" and len(parts) > 2
        if sideways or (parts[1] != own and LEVEL[parts[1]] <= LEVEL[own]):
            wrong.append(f"{file.relative_to(SOURCE)} imports {name}")
    return wrong


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_imports_go_down_only(file):
    assert violations(file, file.read_text()) == []


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("loss/x.py", "from sketchy.trainer import loop"),
        ("loss/x.py", "def f():\n    import sketchy.model.encoder"),
        ("commands/x.py", "from sketchy.commands import train"),
        ("config.py", "from sketchy import cli"),
        ("image.py", "import sketchy.distance"),
    ],
)
def test_a_planted_upward_or_sideways_import_is_caught(place, source):
    assert violations(SOURCE / place, source)


def test_every_module_has_a_layer():
    assert {own_layer(file) for file in FILES} - {"__init__"} <= set(LEVEL)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_only_the_command_line_prints_exits_and_knows_typer(file):
    if own_layer(file) in ("cli", "__main__"):
        return
    tree = ast.parse(file.read_text())
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not calls & {"print", "sys.exit", "exit", "quit"}
    assert not imported(tree) & {"typer", "click"}


def long_functions(source: str) -> list[str]:
    """Names of the functions of more than 40 lines, with their docstring."""
    return [
        f"{node.name}, {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno >= 40
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_files_and_functions_are_short_and_have_telling_names(file):
    assert file.stem not in ("utils", "helpers", "common", "misc")
    assert len(file.read_text().splitlines()) <= 300
    assert long_functions(file.read_text()) == []


@pytest.mark.parametrize(("lines", "found"), [(40, []), (41, ["f, 41 lines"])])
def test_a_planted_long_function_is_caught(lines, found):
    assert long_functions("async def f():\n" + "    pass\n" * (lines - 1)) == found
