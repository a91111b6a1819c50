from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.machine.comparing import Wish, run
from app.machine.terminal import clean
from app.server import cli
from cli.terminal import clean as clean_by_maoctl


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
    assert mao("a.csv", "a.csv", "--format", "update", "--force").exit_code == 0
    assert Path("update.csv").read_bytes() == b""


def test_an_update_that_is_there_is_not_overwritten_without_a_word(files: Path) -> None:
    Path("update.csv").write_text("of yesterday\n")
    refused = mao("a.csv", "b.csv", "--format", "update")
    assert refused.exit_code == 2
    assert "update.csv exists already. Name another file with --output, or overwrite it with --force." in refused.output
    assert Path("update.csv").read_text() == "of yesterday\n"
    assert mao("a.csv", "b.csv", "--format", "update", "--output", "other.csv").exit_code == 1
    assert (Path("update.csv").read_text(), Path("other.csv").read_text()) == ("of yesterday\n", "1,z\n")


NASTY = "\x1b]0;owned\x07\x1b[31mred\x1b[2J\x9b31m\u202eabc\x7f\b"


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, form: str) -> str:
    """Give what a terminal gets."""
    mine, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal, os.fdopen(mine, "rb", buffering=0) as screen:
        monkeypatch.setattr(sys, "stdout", terminal)
        wish = Wish(key="id", form=form, output=None, header="auto", delimiter=None, limit=10)
        assert run(Path("a.csv"), Path("b.csv"), wish, pytest.fail) == 1
        return screen.read(1 << 16).decode().replace("\r\n", "\n")


@pytest.mark.parametrize("form", ["text", "json", "csv", "html"])
def test_a_terminal_obeys_nothing_that_a_file_holds(files: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    (files / "b.csv").write_text(f"id,n\n1,{NASTY}\n2,y\n")
    shown = on_a_terminal(monkeypatch, form)
    assert "abc" in shown
    assert [character for character in shown if not character.isprintable() and character != "\n"] == []


def test_a_file_or_a_pipe_gets_every_character(files: Path) -> None:
    (files / "b.csv").write_text(f"id,n\n1,{NASTY}\n2,y\n")
    assert NASTY in mao("a.csv", "b.csv", "--key", "id", "--format", "csv").output
    answer = json.loads(mao("a.csv", "b.csv", "--key", "id", "--format", "json").output)
    assert answer["files"][0]["differences"][0]["cells"][0]["new"] == NASTY


def test_json_on_a_terminal_is_the_same_json(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (files / "b.csv").write_text("id,n\n1,\u202eZürich\n2,y\n")
    piped = mao("a.csv", "b.csv", "--key", "id", "--format", "json").output
    assert json.loads(on_a_terminal(monkeypatch, "json")) == json.loads(piped)


def test_a_message_about_a_column_moves_no_cursor(files: Path) -> None:
    (files / "a.csv").write_text("id,\x1b[2J\n1,x\n")
    done = mao("a.csv", "a.csv", "--key", "nobody")
    assert done.exit_code == 2
    assert "\x1b" not in done.output


def test_text_is_cleaned_as_maoctl_cleans_it() -> None:
    every = "".join(map(chr, range(0x2100)))
    for text in (every, NASTY, f"a{NASTY}b", "\x1b]8;;link\x1b\\text", "\x1b[1;31mred\x1b[0m"):
        assert clean(text) == clean_by_maoctl(text)
