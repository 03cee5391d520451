"""The README, the help texts, the configs and the scripts agree."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from sketchy.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GROUP = typer.main.get_command(app)


def commands(group=GROUP, before=()):
    """Every command as (words, command), groups walked."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*before, name))
        else:
            yield (*before, name), command


COMMANDS = dict(commands())


def typed_commands() -> list[list[str]]:
    """Every `sketchy ...` line of the README's code blocks and of the heads of configs, as words."""
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", README, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += [path.read_text().splitlines()[0] for path in (ROOT / "configs").rglob("*.yaml")]
    lines = [line.removeprefix("$ ").removeprefix("# ") for line in lines]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("sketchy ")]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_is_in_the_readme_and_has_help_with_an_example(words):
    assert f"sketchy {' '.join(words)}" in README
    assert f"Example: sketchy {' '.join(words)}" in (COMMANDS[words].help or "")
    assert all(getattr(parameter, "help", None) for parameter in COMMANDS[words].params)
    assert all(paragraph.count("Example:") <= 1 for paragraph in COMMANDS[words].help.split("\n\n"))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_help_names_the_value_of_an_option_not_its_python_type(words):
    command = COMMANDS[words]
    shown = command.get_help(command.make_context("sketchy", [], resilient_parsing=True))
    assert "--json" in shown or words == ("serve",)
    assert re.findall(r"--[\w-]+ <[^|>]*>", shown) == []


@pytest.mark.parametrize("words", typed_commands(), ids=" ".join)
def test_every_command_in_the_readme_and_the_configs_parses(words):
    names, command = max(
        ((names, command) for names, command in COMMANDS.items() if words[: len(names)] == list(names)),
        key=lambda found: len(found[0]),
    )
    command.make_context(" ".join(names), words[len(names) :], resilient_parsing=False)


def test_there_are_commands_to_check():
    assert len(typed_commands()) > 8


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:configs|src|docs|scripts|tests)/[\w./-]+)`", README))))
def test_every_path_in_the_readme_exists(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_every_local_link_of_the_readme_leads_somewhere(link):
    assert (ROOT / link).exists()


def scripts() -> list[str]:
    """What can be run below scripts: files, and the main modules of folders."""
    folder = ROOT / "scripts"
    paths = [path for path in folder.iterdir() if path.is_file()] + list(folder.glob("*/__main__.py"))
    return sorted(str(path.relative_to(folder)) for path in paths)


@pytest.mark.parametrize("script", scripts())
def test_every_script_can_be_run_and_says_what_it_does(script):
    path = ROOT / "scripts" / script
    assert path.stat().st_mode & 0o100
    first, second = path.read_text().splitlines()[:2]
    assert first.startswith("#!")
    assert second.startswith(("# ", '"""'))
