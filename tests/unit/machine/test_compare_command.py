from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.server import cli


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("id,n\n1,x\n2,y\n")
    (tmp_path / "b.csv").write_text("id,n\n1,z\n2,y\n")
    return tmp_path


def mao(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["compare", *arguments])


def test_nothing_differs_is_status_0(files: Path) -> None:
    assert mao("a.csv", "a.csv").exit_code == 0


def test_a_difference_is_status_1_and_is_shown(files: Path) -> None:
    done = mao("a.csv", "b.csv", "--key", "id")
    assert done.exit_code == 1
    assert '~ row 2, key 1: n: "x" -> "z"' in done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("a.csv", "nothing.csv"),
        ("a.csv", "."),
        ("a.csv", "b.csv", "--key", "nobody"),
        ("a.csv", "b.csv", "--delimiter", "x"),
        ("a.csv", "b.csv", "--limit", "-1"),
        ("a.csv", "b.csv", "--format", "update", "--output", "b.csv"),
        (".", ".", "--format", "update"),
        ("a.csv", "b.csv", "--output", "nowhere/c.txt"),
    ],
)
def test_wrong_use_is_status_2(files: Path, arguments: tuple[str, ...]) -> None:
    assert mao(*arguments).exit_code == 2


def test_json_can_be_read_back_from_a_file(files: Path) -> None:
    assert mao("a.csv", "b.csv", "--format", "json", "--output", "out.json").exit_code == 1
    assert json.loads(Path("out.json").read_text())["counts"]["addedRows"] == 1


def test_an_update_is_written_as_the_lines_that_are_new(files: Path) -> None:
    assert mao("a.csv", "b.csv", "--format", "update").exit_code == 1
    assert Path("update.csv").read_bytes() == b"1,z\n"
    assert mao("a.csv", "a.csv", "--format", "update").exit_code == 0
    assert Path("update.csv").read_bytes() == b""
