"""Rules that hold for every command."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cli.exits import Exit
from cli.main import root
from tests.unit.cli.conftest import URL, Run

CLI = Path(__file__).resolve().parents[3] / "cli"


def walk(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from walk(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = [pytest.param(path, command, id=" ".join(path)) for path, command in walk(root)]


@pytest.mark.parametrize(("path", "command"), COMMANDS)
def test_help_has_an_example_of_the_command_itself(path: tuple[str, ...], command: click.Command, bare: Run) -> None:
    result = bare(*path, "--help")
    assert result.exit == Exit.DONE
    assert f"  maoctl {' '.join(path)}" in result.out.split("Example")[1]


@pytest.mark.parametrize(("path", "command"), COMMANDS)
def test_every_command_takes_each_format(path: tuple[str, ...], command: click.Command) -> None:
    option = next(parameter for parameter in command.params if "-o" in parameter.opts)
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == ["table", "json", "ndjson", "csv"]


def test_the_commands_are_those_that_the_documentation_promises() -> None:
    promised = {
        "tool": "get add remove run schedule stop list-scheduled install update installed uninstall help"
        " accept reject mute decisions undo",
        "dataset": "get add remove clone compare discard list-local promote remove-local retrieve snapshots origin",
        "run": "list get show output wait stop start retry replay verify resolve refresh files upload download",
        "job": "get edit preview why pause resume remove firings",
        "token": "whoami create list rotate revoke",
        "lock": "get break",
        "metric": "get plot backtest import",
        "notification": "get deliveries test",
        "audit": "get",
        "incident": "get",
    }
    expected = {(noun, verb) for noun, verbs in promised.items() for verb in verbs.split()}
    assert {path for path, _ in walk(root)} == expected | {("doctor",), ("completion",)}


def test_no_command_takes_the_token_as_an_option() -> None:
    options = {name for _, command in [((), root), *walk(root)] for part in command.params for name in part.opts}
    assert "--token" not in options


def test_no_module_imports_the_application() -> None:
    for path in CLI.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "app"], path


def test_importing_the_command_line_does_not_load_the_application() -> None:
    program = "import cli.main, sys; print([name for name in sys.modules if name.split('.')[0] in ('app', 'flask')])"
    done = subprocess.run([sys.executable, "-c", program], cwd=CLI.parent, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(("folder", "script"), [(CLI, "maoctl.py"), (CLI.parent, "cli/maoctl.py")])
def test_the_script_runs_from_inside_its_folder_and_from_the_checkout(folder: Path, script: str) -> None:
    done = subprocess.run(
        [sys.executable, script, "tool", "add", "spike"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == Exit.USAGE
    assert done.stderr.startswith("maoctl: Missing argument 'AUTHOR'")


def test_a_noun_alone_shows_its_verbs_on_stderr(bare: Run) -> None:
    result = bare("tool")
    assert (result.exit, result.out) == (Exit.USAGE, "")
    assert "list-scheduled" in result.err


def test_a_misspelt_verb_names_the_nearest_one(bare: Run) -> None:
    result = bare("tool", "ad")
    assert result.exit == Exit.USAGE
    assert "'add'" in result.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_the_shell(bare: Run, shell: str) -> None:
    result = bare("completion", shell)
    assert result.exit == Exit.DONE
    assert "_MAOCTL_COMPLETE" in result.out


def test_the_completion_script_is_given_in_json_too(bare: Run) -> None:
    assert bare("completion", "fish", "-o", "json").json["shell"] == "fish"


def test_a_reader_that_goes_away_is_no_error() -> None:
    program = (
        "import os, sys; os.close(1); reader, writer = os.pipe(); os.close(reader); assert writer\n"
        "sys.stdout = os.fdopen(writer, 'w')\n"
        "from cli.main import main; sys.exit(main(['completion', 'fish']))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=CLI.parent, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (Exit.OUTPUT_CLOSED, "")


def test_a_missing_token_is_named_with_its_server(bare: Run) -> None:
    result = bare("--url", URL, "tool", "get")
    assert result.exit == Exit.USAGE
    assert URL in result.err


def test_the_help_of_maoctl_names_every_exit_status(bare: Run) -> None:
    told = " ".join(bare("--help").out.split()).partition("Exit status: ")[2]
    assert [int(number) for number in re.findall(r"(?:^|, )(\d+) ", told)] == [status.value for status in Exit]
