"""The rules of the house that a parser can see: who may import whom, and where the outside world may be touched."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMON = ("app.errors", "app.clock", "app.settings", "app.notification_settings", "app.log", "app.folders")
BELOW_API = ("app.services", "app.repositories", "app.executors", "app.models", "app.spike", "app.compare")

# A module belongs to the longest name in this table that it starts with; the value says which of our own it may import.
FLOORS: dict[str, tuple[str, ...]] = {
    "wsgi": ("app.factory",),
    "app": (),
    "app.errors": (),
    "app.clock": (),
    "app.log": (),
    "app.folders": (),
    "app.settings": ("app.errors", "app.notification_settings"),
    "app.notification_settings": ("app.errors",),
    "app.factory": ("app.api", "app.wiring", *COMMON),
    "app.wiring": (*BELOW_API, *COMMON),
    "app.agent": ("app.wiring", "app.scheduler", "app.services", *COMMON),
    "app.scheduler": ("app.wiring", "app.services", *COMMON),
    "app.embedded": ("app.embedded", *COMMON),
    "app.server": ("app",),
    "app.machine": ("app",),
    "app.api": ("app.api", "app.services", "app.models", *COMMON),
    "app.services": (*BELOW_API, *COMMON),
    "app.repositories": ("app.repositories", "app.models", *COMMON),
    "app.repositories.database": ("app.repositories", "app.models", "migrations", *COMMON),
    "app.executors": ("app.executors", "app.models", *COMMON),
    "app.models": ("app.models", "app.errors", "app.clock"),
    "app.spike": ("app.spike",),
    "app.compare": ("app.compare",),
    "cli": ("cli",),
    "migrations": ("app.models", "app.repositories", *COMMON),
}

# An outside package, and the files (or the folders) that may import it.
DOORS: dict[str, tuple[str, ...]] = {
    "alembic": ("app/repositories/database.py", "migrations/"),
    "apscheduler": ("app/scheduler.py",),
    "click": ("app/server.py", "cli/"),
    "cronsim": ("app/services/occurrences.py",),
    "docker": ("app/executors/docker.py",),
    "etcd3": ("app/repositories/etcd_compat.py",),
    "flask": ("app/api/", "app/factory.py"),
    "flask_smorest": ("app/api/", "app/factory.py"),
    "git": ("app/repositories/git_command.py",),
    "google": ("app/repositories/etcd_compat.py",),
    "grpc": ("app/repositories/etcd_compat.py",),
    "gunicorn": ("app/machine/worker.py",),
    "marshmallow": ("app/api/",),
    "matplotlib": ("cli/plot_image.py",),
    "prometheus_client": ("app/api/metrics.py",),
    "psycopg2": ("app/repositories/",),
    "requests": ("cli/client.py",),
    "rich": ("cli/",),
    "smtplib": ("app/repositories/mail.py",),
    "sqlalchemy": ("app/repositories/", "app/models/", "migrations/"),
    "swagger_ui_bundle": ("app/api/", "app/factory.py"),
    "urllib3": ("app/executors/docker.py", "app/repositories/outgoing.py"),
    "webargs": ("app/api/",),
    "werkzeug": ("app/api/",),
    "yaml": ("app/services/definitions_yaml.py",),
}
INDEPENDENT = ("app.spike", "app.compare")
INDEPENDENT_MAY_USE = {"numpy", "app", *sys.stdlib_module_names}
HEAVY = {"flask", "sqlalchemy", "docker", "etcd3", "apscheduler", "marshmallow", "git", "requests", "grpc"}


@dataclass(frozen=True)
class Source:
    """One parsed file: its dotted module name, its path from the root, its tree."""

    module: str
    place: str
    tree: ast.Module


def read(path: Path) -> Source:
    place = path.relative_to(ROOT).as_posix()
    module = place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return Source(module, place, ast.parse(path.read_text(encoding="utf-8"), filename=place))


def sources() -> list[Source]:
    paths = [path for folder in ("app", "cli", "migrations") for path in sorted((ROOT / folder).rglob("*.py"))]
    return [read(path) for path in [*paths, *ROOT.glob("wsgi.py")]]


SOURCES = sources()
every_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.place)


def imports(source: Source) -> Iterator[str]:
    """Give every imported name, also those inside functions; `from a import b` is `a.b` where that is a module."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{source.place}:{node.lineno} imports relatively; write the whole name"
            yield from (imported(node.module or "", alias.name) for alias in node.names)


def imported(module: str, name: str) -> str:
    path = ROOT.joinpath(*module.split("."), name)
    return f"{module}.{name}" if path.with_suffix(".py").exists() or path.is_dir() else module


def is_within(module: str, parents: tuple[str, ...]) -> bool:
    return any(module == parent or module.startswith(f"{parent}.") for parent in parents)


def floor_of(module: str) -> str:
    return max((floor for floor in FLOORS if is_within(module, (floor,))), key=len)


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def test_there_is_something_to_check() -> None:
    assert {"app.settings", "app.models.run", "cli.main"} <= {source.module for source in SOURCES}


@every_source
def test_every_module_has_a_floor(source: Source) -> None:
    is_root_file = source.module == "app" or floor_of(source.module) != "app"
    assert is_root_file, f"{source.place} stands on no floor; give it one in this table and in docs/architecture.md"


@every_source
def test_imports_go_down_the_stairs(source: Source) -> None:
    ours = [name for name in imports(source) if is_within(name, ("app", "cli", "migrations", "wsgi"))]
    allowed = FLOORS[floor_of(source.module)]
    # `import app` itself is allowed where something below it is: it holds nothing but the version.
    wrong = [name for name in ours if not is_within(name, allowed) and name != "app"]
    assert not wrong, f"{source.place} may not import {wrong}"


@every_source
def test_an_outside_package_is_imported_behind_its_door_only(source: Source) -> None:
    wrong = [
        name
        for name in imports(source)
        if (doors := DOORS.get(name.split(".")[0])) and not source.place.startswith(doors)
    ]
    assert not wrong, f"{source.place} imports {wrong} outside its door"


@every_source
def test_an_independent_part_needs_only_numbers(source: Source) -> None:
    if not is_within(source.module, INDEPENDENT):
        return
    wrong = {name for name in imports(source) if name.split(".")[0] not in INDEPENDENT_MAY_USE}
    assert not wrong, f"{source.place} is independent and may not import {wrong}"


@every_source
def test_the_time_is_read_in_one_file(source: Source) -> None:
    clocks = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time"}
    read_here = {dotted(node) for node in ast.walk(source.tree)} & clocks
    allowed = source.place == "app/clock.py" or source.place.startswith("cli/")
    assert allowed or not read_here, f"{source.place} reads the time by {read_here}; use app.clock"


@every_source
def test_the_environment_is_read_in_one_file(source: Source) -> None:
    names = {dotted(node) for node in ast.walk(source.tree)} & {"os.environ", "os.getenv", "os.environb"}
    doors = ("app/settings.py", "cli/config.py")
    assert source.place in doors or not names, f"{source.place} reads the environment; only {doors} may"


@every_source
def test_nothing_runs_through_a_shell(source: Source) -> None:
    calls = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call)]
    shells = [
        call.lineno
        for call in calls
        if dotted(call.func) in ("os.system", "os.popen", "subprocess.getoutput")
        or any(
            word.arg == "shell" and not (isinstance(word.value, ast.Constant) and word.value.value is False)
            for word in call.keywords
        )
    ]
    assert not shells, f"{source.place} runs a shell in the lines {shells}"


@every_source
def test_no_file_is_too_long(source: Source) -> None:
    lines = len((ROOT / source.place).read_text(encoding="utf-8").splitlines())
    assert lines <= 400, f"{source.place} has {lines} lines: it is two files"


@pytest.mark.parametrize("package", INDEPENDENT)
def test_an_independent_part_pulls_in_nothing_heavy(package: str) -> None:
    code = f"import {package}, sys; print(' '.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert not HEAVY & set(loaded.stdout.split())
