"""The documentation says of each part that a machine can find what the code says, and leads nowhere wrong."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Any, get_type_hints

import click
import pytest
from flask import Flask

from app import __version__, errors, settings
from app.api import context
from app.api.errors import status_of
from app.api.security import access_of
from app.factory import create_app
from app.models.clone import CloneState
from app.models.dataset import Dataset
from app.models.installation import InstallationState
from app.models.job import FiringOutcome
from app.models.run import LEGAL_CHANGES, Cause, RunStatus
from app.models.token import Permission
from app.models.tool import Tool
from app.server import cli as mao
from app.spike import Status
from cli.client import Client
from cli.exits import Exit
from cli.main import root as maoctl
from cli.session import Session
from tests.unit.api.stubs import stub_services
from tests.unit.test_layers import COMMON, DOORS, FLOORS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MIGRATIONS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "migrations" / "versions").glob("*.py"))
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
_OUR_FILE = re.compile(r"(?:app|cli|docs|migrations|tests|deploy|scripts|instance)/[\w./-]+\.\w+")
_VARIABLE, _IN_BRACES = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>"), r"{\1}"


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section_of(name: str, heading: str) -> str:
    """Give what stands below a heading, up to the next one of its level or of a higher one."""
    level = len(heading) - len(heading.lstrip("#"))
    found = re.search(rf"^{re.escape(heading)}$(.*?)(?=^#{{1,{level}}} |\Z)", text_of(name), re.MULTILINE | re.DOTALL)
    assert found, f"{name} has no heading '{heading}'"
    return found[1]


def rows(text: str) -> Iterator[list[str]]:
    """Give the cells of each row of the tables in a text; headings and rulers are left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    for number, line in enumerate(lines):
        is_ruler, is_heading = _is_ruler(line), _is_ruler("".join(lines[number + 1 : number + 2]))
        if not (is_ruler or is_heading):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def _is_ruler(line: str) -> bool:
    return bool(line) and set(line) <= set("|- ")


def first_words(text: str) -> set[str]:
    """Give the code in the first cell of each row."""
    return {word for row in rows(text) for word in _CODE.findall(row[0])}


def commands(group: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            if not command.hidden:
                yield from commands(command, (*path, name))
    else:
        yield path, group


COMMANDS = dict([*commands(maoctl, ("maoctl",)), *commands(mao, ("mao",))])


@pytest.fixture(scope="module")
def flask_app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return create_app(settings.load({}, tmp_path_factory.mktemp("instance")), stub_services())


# What leads somewhere.


@every_page
def test_every_link_leads_to_a_page_and_a_heading_that_exist(page: Path) -> None:
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        place, _, anchor = target.partition("#")
        if "://" in place:
            continue
        file = (page.parent / place).resolve() if place else page
        assert file.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(file), f"{page.name} links to {target}"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_every_test_that_is_named_exists(page: Path) -> None:
    for place, name in _TEST.findall(page.read_text(encoding="utf-8")):
        path = ROOT / place
        assert path.exists(), f"{page.name} names {place}"
        assert f"def {name}(" in path.read_text(encoding="utf-8"), f"{page.name} names {name} of {place}"


@every_page
def test_every_file_of_ours_that_is_named_exists(page: Path) -> None:
    for code in _CODE.findall(page.read_text(encoding="utf-8")):
        if _OUR_FILE.fullmatch(code):
            assert (ROOT / code).exists(), f"{page.name} names {code}"


def examples(page: Path) -> Iterator[list[str]]:
    """Give the words of each call of `maoctl` and `mao` in the shell scripts of a page."""
    scripts = [body for word, body in _FENCE.findall(page.read_text(encoding="utf-8")) if word == "sh"]
    for line in "\n".join(scripts).replace("\\\n", " ").splitlines():
        if "mao" in line:
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words = list(lexer)
            ends = [number for number, word in enumerate(words) if set(word) <= set("();<>|&") and word]
            for begin, end in zip([-1, *ends], [*ends, len(words)], strict=True):
                command = words[begin + 1 : end]
                if command and command[0] in ("mao", "maoctl"):
                    yield command


@every_page
def test_every_command_in_an_example_is_one_that_the_command_line_takes(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = list(examples(page))
    monkeypatch.chdir(tmp_path)
    for program, *rest in shown:
        for place in rest[1:3] if rest[0] == "compare" else ():
            Path(place).touch()
        context = click.Context(maoctl if program == "maoctl" else mao, obj=Session(Client))
        command: click.Command = context.command
        while isinstance(command, click.Group):
            if rest[0].startswith("-"):
                rest = rest[2:]
                continue
            assert rest[0] in command.commands, f"{page.name}: {program} {rest}"
            command, rest = command.commands[rest[0]], rest[1:]
        command.make_context(command.name, list(rest), parent=context)


# Command line.


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_a_section_with_its_options(path: tuple[str, ...]) -> None:
    section = section_of("docs/cli.md", f"### `{' '.join(path)}`")
    everywhere = {"--help", "-h", "-o", "--output", "--instance"}
    options = {word for part in COMMANDS[path].params if isinstance(part, click.Option) for word in part.opts}
    missing = [option for option in options - everywhere if f"`{option}" not in section]
    assert not missing, f"docs/cli.md does not tell {missing} of {' '.join(path)}"


def test_no_section_is_about_a_command_that_does_not_exist() -> None:
    told = set(re.findall(r"^### `(.+)`$", text_of("docs/cli.md"), re.MULTILINE))
    assert told == {" ".join(path) for path in COMMANDS}


def test_every_exit_status_has_its_line() -> None:
    told = {row[0] for row in rows(section_of("docs/cli.md", "## Exit statuses"))}
    assert told == {str(status.value) for status in Exit}


# HTTP.


def routes(app: Flask) -> dict[str, str]:
    """Give each route as ``GET /api/tools/{name}`` with the endpoint behind it."""
    return {
        f"{method} {_VARIABLE.sub(_IN_BRACES, rule.rule)}": rule.endpoint
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_route_has_a_section_and_every_section_a_route(flask_app: Flask) -> None:
    told = re.findall(r"^### ((?:GET|POST|PUT|PATCH|DELETE) .+)$", text_of("docs/api.md"), re.MULTILINE)
    assert sorted(told) == sorted(routes(flask_app))


def test_every_route_tells_its_permission_its_answers_and_an_example(flask_app: Flask) -> None:
    described = flask_app.extensions[context.DESCRIPTION].to_dict()["paths"]
    for route, endpoint in routes(flask_app).items():
        section = section_of("docs/api.md", f"### {route}")
        access = access_of(endpoint, flask_app)
        told = re.search(r"^Permission: (.+?)\.(?: Answers: ([0-9, ]+)\.)?$", section, re.MULTILINE)
        assert access and told and "curl " in section, route
        words = {str(permission) for permission in access.permissions}
        assert set(_CODE.findall(told[1])) == words, route
        if not words:
            assert told[1] == ("any valid token" if access.needs_token else "none; no token is needed"), route
        method, path = route.split()
        if path in described:
            answers = described[path][method.lower()]["responses"].keys() - {"default"}
            assert set((told[2] or "").split(", ")) == answers, route


def errors_of_ours(kind: type[errors.MaoError] = errors.MaoError) -> Iterator[type[errors.MaoError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from errors_of_ours(child)


def test_every_error_has_its_line_with_its_status() -> None:
    told = {(_CODE.findall(row[0])[0], row[1]) for row in rows(section_of("docs/api.md", "## Errors"))}
    assert told == {(kind.__name__, str(status_of(kind("")).value)) for kind in errors_of_ours()}


# Settings and permissions.


def shown(value: Any) -> str:
    if value in ("", None):
        return "empty"
    return f"`{('no', 'yes')[value] if isinstance(value, bool) else value}`"


def test_every_setting_has_its_line_with_its_default() -> None:
    sections: dict[str, Any] = get_type_hints(settings.Settings)
    del sections["instance"]
    for name, kind in sections.items():
        told = {row[0].strip("`"): row[1] for row in rows(section_of("docs/operations.md", f"### {name.upper()}"))}
        assert told == {field.name: shown(getattr(kind(), field.name)) for field in fields(kind)}, name


def test_every_permission_has_its_line_and_those_that_open_nothing_say_so(flask_app: Flask) -> None:
    heading = "## Users, tokens and permissions"
    told = {row[0].strip("`"): row[1] for row in rows(section_of("docs/operations.md", heading))}
    assert told.keys() == set(Permission)
    used = {
        permission
        for endpoint in flask_app.view_functions
        if (access := access_of(endpoint, flask_app))
        for permission in access.permissions
    }
    assert {permission for permission in Permission if told[permission] != "nothing yet"} == used


# Words.


@pytest.mark.parametrize(
    ("page", "heading", "kind"),
    [
        ("docs/glossary.md", "## States of a run", RunStatus),
        ("docs/glossary.md", "## Causes", Cause),
        ("docs/glossary.md", "## Outcomes of a firing", FiringOutcome),
        ("docs/glossary.md", "## States of a clone", CloneState),
        ("docs/glossary.md", "## States of an installation", InstallationState),
        ("docs/tools.md", "## The verdict", Status),
    ],
)
def test_every_word_has_its_line(page: str, heading: str, kind: type[StrEnum]) -> None:
    assert first_words(section_of(page, heading)) == {str(word) for word in kind}


def test_every_key_of_an_entry_has_its_line() -> None:
    assert first_words(section_of("docs/tools.md", "## The entry")) == {field.name for field in fields(Tool)}
    section = section_of("docs/api.md", "### POST /api/datasets")
    assert {field.name for field in fields(Dataset)} - {"owner"} <= set(_CODE.findall(section))


def test_every_variable_that_a_tool_gets_has_its_line() -> None:
    given = {
        node.value
        for place in ("app/services/requests.py", "app/executors/process.py")
        for node in ast.walk(ast.parse(text_of(place)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch("MAO_[A-Z_]+", node.value)
    }
    assert first_words(section_of("docs/tools.md", "## The environment")) == given


# Architecture.


def test_the_table_of_floors_is_the_one_that_is_enforced() -> None:
    told = {}
    for row in rows(section_of("docs/architecture.md", "## Floors")):
        told[row[0].strip("`")] = {*_CODE.findall(row[1]), *(COMMON if "common" in row[1] else ())}
    assert told == {module: set(allowed) for module, allowed in FLOORS.items()}


def test_the_table_of_doors_is_the_one_that_is_enforced() -> None:
    told = {
        row[0].strip("`"): set(_CODE.findall(row[1])) for row in rows(section_of("docs/architecture.md", "## Doors"))
    }
    assert told == {package: set(places) for package, places in DOORS.items()}


def test_the_table_of_legal_changes_is_the_one_that_is_enforced() -> None:
    told = {
        row[0].strip("`"): set(_CODE.findall(row[1])) for row in rows(section_of("docs/architecture.md", "## States"))
    }
    assert told == {str(old): {str(new) for new in allowed} for old, allowed in LEGAL_CHANGES.items()}


def test_every_tick_has_its_line() -> None:
    sources = text_of("app/agent.py") + text_of("app/scheduler.py")
    ticks = set(re.findall(r'"(mao\.[a-z]+)"', sources))
    assert first_words(section_of("docs/architecture.md", "## The clock")) == ticks


def test_every_table_of_the_database_has_its_line() -> None:
    section = section_of("docs/architecture.md", "## Where the data lives").partition("etcd, below")[0]
    made = re.findall(r'create_table\(\s*"(\w+)"', "".join(map(text_of, MIGRATIONS)))
    assert first_words(section) == set(made)


# Packages, versions, decisions.


def test_every_package_that_is_required_has_its_line() -> None:
    assigned = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(text_of("setup.py")).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if node.targets[0].id in ("REQUIREMENTS", "EXTRAS")
    }
    wanted = [*assigned["REQUIREMENTS"], *(package for extra in assigned["EXTRAS"].values() for package in extra)]
    required = {re.split(r"[<>=]", package)[0] for package in wanted}
    assert first_words(text_of("docs/decisions/0008-dependencies.md")) == required


def test_the_version_has_its_changes() -> None:
    assert re.search(rf"^## {re.escape(__version__)}\b", text_of("CHANGELOG.md"), re.MULTILINE)


def test_every_decision_is_listed_and_has_the_three_parts() -> None:
    listed = text_of("docs/decisions/README.md")
    for path in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")):
        text = path.read_text(encoding="utf-8")
        assert f"({path.name})" in listed
        assert text.startswith(f"# {int(path.name[:4])}. ")
        assert all(f"**{part}.**" in text for part in ("Context", "Decision", "Consequences")), path.name
