"""The example of a configuration names every key, and means what the code does without it."""

from __future__ import annotations

import configparser
import shutil
from dataclasses import fields, is_dataclass
from pathlib import Path

from app import settings

EXAMPLE = Path(__file__).parents[2] / "instance" / "config.example.ini"


def keys_of(loaded: settings.Settings) -> dict[str, set[str]]:
    sections = {field.name: getattr(loaded, field.name) for field in fields(loaded)}
    return {name.upper(): {f.name for f in fields(part)} for name, part in sections.items() if is_dataclass(part)}


def test_the_example_names_every_key_and_no_other(tmp_path: Path) -> None:
    example = configparser.ConfigParser(interpolation=None)
    example.read(EXAMPLE, encoding="utf-8")
    assert {name: set(example[name]) for name in example.sections()} == keys_of(settings.load({}, tmp_path))


def test_the_example_loads_and_gives_the_defaults(tmp_path: Path) -> None:
    without_a_file = settings.load({}, tmp_path)
    shutil.copy(EXAMPLE, tmp_path / settings.CONFIG_NAME)
    assert settings.load({}, tmp_path) == without_a_file


def test_a_child_process_loads_the_settings_of_its_parent(tmp_path: Path) -> None:
    given = {
        "MAO_POSTGRES_PASSWORD": "pass=word%",
        "MAO_API_PORT": "9000",
        "MAO_GIT_ALLOW_LOCAL": "yes",
        "HOME": "/root",
    }
    parent = settings.load(given, tmp_path)
    environment = settings.child_environment(parent, given)
    assert settings.load(environment) == parent
    assert environment["HOME"] == "/root"


def test_a_secret_named_by_file_reaches_a_child_as_its_value(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("word\n", encoding="utf-8")
    given = {"MAO_POSTGRES_PASSWORD_FILE": str(tmp_path / "secret")}
    environment = settings.child_environment(settings.load(given, tmp_path), given)
    assert settings.load(environment).postgres.password == "word"
