"""The file mao.yml: what is read of it, and how every mistake in it is named with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.models.definition import Definition, Step
from app.services.definitions import in_lines, parse
from app.services.definitions_fields import Surroundings

WHOLE = """\
Version: 0.2
Name: visitors
Description: Counts visitors.
Data:
  Local: ./data/
  Repo:
    Name: visitors-data
    Remote: https://git.example.org/visitors-data.git
Installer:
  Command: sh
  Script: install.sh
Commands:
  - Name: count
    Description: Counts those of a year.
    Command: python3
    Script: bin//count.py
    Arguments:
      - Name: first year
        Description: With which to begin.
"""


def mistakes(text: str | bytes, surroundings: Surroundings | None = None) -> list[str]:
    """Give every mistake as ``line:column key: what``."""
    with pytest.raises(Invalid) as refused:
        parse(text if isinstance(text, bytes) else text.encode(), "mao.yml", surroundings)
    fields = refused.value.fields
    return [f"{place.removeprefix('mao.yml:')} {rule}" for place, rules in fields.items() for rule in rules]


def changed(old: str, new: str) -> str:
    assert WHOLE.count(old) == 1
    return WHOLE.replace(old, new)


def test_a_whole_definition_is_read() -> None:
    found = parse(WHOLE.encode(), "mao.yml")
    assert (found.version, found.name, found.description) == ("0.2", "visitors", "Counts visitors.")
    assert (found.local, found.folder_for_data, found.repo_name) == ("data", "data", "visitors-data")
    assert found.remote == "https://git.example.org/visitors-data.git"
    (command,) = found.commands
    assert (found.installer, command.step) == (Step("sh", "install.sh"), Step("python3", "bin/count.py"))
    assert command.usage == "count FIRST-YEAR"


def test_what_is_stored_of_it_is_read_back_the_same() -> None:
    found = parse(WHOLE.encode(), "mao.yml")
    assert Definition.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_installer_repository_and_arguments_may_be_left_out() -> None:
    text = WHOLE.replace(
        "  Repo:\n    Name: visitors-data\n    Remote: https://git.example.org/visitors-data.git\n", ""
    )
    text = text.replace("Installer:\n  Command: sh\n  Script: install.sh\n", "").partition("    Arguments:")[0]
    found = parse(text.encode(), "mao.yml")
    assert (found.installer, found.remote, found.commands[0].arguments) == (None, "", ())


def test_an_absolute_place_for_the_data_is_no_place_in_the_repository() -> None:
    found = parse(changed("./data/", "/usr/src/app/data").encode(), "mao.yml")
    assert (found.local, found.folder_for_data) == ("/usr/src/app/data", "")


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("Script: install.sh", "Scrip: x", "11:3 Installer.Scrip: is not a known key. Did you mean 'Script'?"),
        ("Name: visitors\n", "name: visitors\n", "2:1 name: is not a known key. Did you mean 'Name'?"),
        ("Name: visitors\n", "Name: [a]\n", "2:7 Name: must be text."),
        ("Name: visitors\n", "Name: 12\n", "2:7 Name: must be text, and this is a number; quotes make it text."),
        ("Name: visitors\n", "Name: no\n", "2:7 Name: must be text, and this is yes or no; quotes make it text."),
        ("Name: visitors\n", "Name:\n", "2:6 Name: must be text, and this is nothing; quotes make it text."),
        ("Name: visitors\n", "Name: ''\n", "2:7 Name: must not be empty."),
        ("Name: visitors\n", "Name: ../x\n", "2:7 Name: must be 1 to 63 of a-z"),
        ("Version: 0.2", "Version: 0.3", "1:10 Version: must be 0.2 or 0.1."),
        ("Command: sh", "Command: /bin/sh", "10:12 Installer.Command: '/bin/sh' is not an interpreter"),
        (
            "Command: sh",
            "Command: python3.11",
            "'python3.11' is not an interpreter that is allowed. Did you mean 'pyth",
        ),
        ("Command: sh", "Command: ruby", "that is allowed. Known are: bash, sh, python3, node, perl, Rscript."),
        ("Command: python3", "Command: python", "Command: 'python' is not an interpreter that is allowed. Did you"),
        (
            "Script: install.sh",
            "Script: ../../x",
            "11:11 Installer.Script: must be a path inside the repository, and '",
        ),
        ("Script: install.sh", "Script: /etc/x", "11:11 Installer.Script: must be a path inside the repository, and t"),
        ("Script: install.sh", "Script: ~/x", "11:11 Installer.Script: must be a path inside the repository"),
        ("Script: install.sh", "Script: a/.GIT/x", "11:11 Installer.Script: must not lead into git's own folder."),
        ("Script: install.sh", "Script: -x", "11:11 Installer.Script: must be a path of at most 512"),
        ("Script: install.sh", "Script: 'a;b'", "11:11 Installer.Script: must be a path of at most 512"),
        ("Local: ./data/", "Local: ..", "5:10 Data.Local: must be a path inside the repository, and '..'"),
        ("Local: ./data/", "Local: .", "5:10 Data.Local: must be a path of at most"),
        ("Data:\n", "Data:\n  Other: 1\n", "5:3 Data.Other: is not a known key. Known are: Local, Repo."),
        ("Description: Counts visitors.\n", "", "1:1 Description: is missing."),
        ("Name: count", "Name: count it", "13:11 Commands[0].Name: must be 1 to 63 of letters"),
        ("- Name: first year", "- Other: x", "18:9 Commands[0].Arguments[0].Name: is missing."),
        (
            "Description: Counts visitors.",
            '"Description": "a\\x07b"',
            "must be at most 4096 characters, without control",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line_and_column(old: str, new: str, mistake: str) -> None:
    assert any(mistake in found for found in mistakes(changed(old, new))), mistakes(changed(old, new))


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "1:1 The file is empty."),
        ("# nothing\n", "1:1 The file is empty."),
        ("[]", "1:1 must be a mapping of keys to values."),
        ("Name:\n\t- x", "2:1 A tab cannot stand here; indent with spaces."),
        ("\tName: x", "1:1 A tab cannot stand here; indent with spaces."),
        ("a: &a [x]\nb: *a", "1:4 Anchors (&) and aliases (*) are not taken; write the value out."),
        ("a: *a", "1:4 Anchors (&) and aliases (*) are not taken; write the value out."),
        ("a: !!python/object/apply:os.system [id]", "1:4 Tags (!) are not taken."),
        ("a: 1\n---\nb: 1", "2:1 A second document begins here; only one is read."),
        ("? [a]\n: b", "1:3 A key must be a word."),
        ("a: [1, 2", "1:9 This is not YAML: expected ',' or ']', but got '<stream end>'."),
        ("a: b: c", "1:5 This is not YAML: mapping values are not allowed here."),
        ("b: 1\na: \x00", "2:4 The character U+0000 cannot stand here."),
        (b"a: \xff", "1:4 This is not UTF-8."),
        ("x" * 65_537, "1:1 The file has more than 65536 bytes."),
        ("- " * 30_000, "1:27 This is nested more than 12 deep."),
        ("{" * 60_000, "1:14 This is nested more than 12 deep."),
        ("[" * 60_000, "1:14 This is nested more than 12 deep."),
    ],
)
def test_what_is_no_plain_yaml_is_refused_in_words(text: str | bytes, mistake: str) -> None:
    assert mistakes(text) == [mistake]


def test_all_mistakes_of_a_file_are_named_at_once_in_their_order() -> None:
    text = changed("Command: sh", "Command: zsh").replace("Script: bin//count.py", "Scirpt: x").replace("0.2", "0.9")
    assert [found.partition(":")[0] for found in mistakes(text)] == ["1", "10", "13", "16"]


def test_doubles_are_refused_with_the_line_of_the_first() -> None:
    assert mistakes(changed("Name: visitors\n", "Name: visitors\nName: other\n")) == [
        "3:1 Name: is given twice; first in line 2."
    ]
    second = "  - {Name: count, Description: x, Command: sh, Script: a.sh}\n"
    assert mistakes(WHOLE + second) == ["20:12 Commands[1].Name: 'count' is taken; line 13 has it."]


def test_a_definition_must_fit_what_surrounds_it() -> None:
    surroundings = Surroundings("other", lambda path: f"no '{path}'.", lambda path: f"not '{path}'.")
    assert mistakes(WHOLE, surroundings) == [
        "2:7 Name: must be 'other', the name under which the tool is registered.",
        "5:10 Data.Local: not 'data'.",
        "11:11 Installer.Script: no 'install.sh'.",
        "16:13 Commands[0].Script: no 'bin/count.py'.",
    ]


@pytest.mark.parametrize("version", ["", "version: 0.1\n", "Version: '0.1'\n", "Version:\n"])
def test_the_older_version_is_read_leniently(version: str) -> None:
    text = f"{version}name: 2024\ncommands:\n  go:\n    command: sh\n    script: a.sh\nauthor: somebody\ninstaller:\n"
    found = parse(text.encode(), "mao.yml")
    assert (found.version, found.name, found.description, found.local, found.installer) == ("0.1", "2024", "", "", None)
    assert [(command.name, command.step) for command in found.commands] == [("go", Step("sh", "a.sh"))]
    listed = text.replace("  go:\n    command", "  - name: go\n    command")
    assert parse(listed.encode(), "mao.yml") == found


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("commands: {go: {command: sh, script: a}}", "1:1 Name: is missing."),
        ("name: x\ncommands: {go: {command: sh}}", "2:16 Commands.go.Script: is missing."),
        ("name: x\ncommands: {go: {command: zsh, script: a}}", "Commands.go.Command: 'zsh' is not an interpreter"),
        ("name: x\ncommands: {go: {command: sh, script: ../a}}", "'..' leads out of it."),
        ("name: x\ncommands: {}", "2:11 Commands: must have at least one command."),
        ("name: x", "1:1 Commands: must have at least one command."),
        ("name: x\nname: y\ncommands: {go: {command: sh, script: a}}", "2:1 name: is given twice"),
    ],
)
def test_the_older_version_still_wants_what_nothing_runs_without(text: str, mistake: str) -> None:
    assert any(mistake in found for found in mistakes(text)), mistakes(text)


def test_the_mistakes_are_shown_line_by_line() -> None:
    with pytest.raises(Invalid) as refused:
        parse(changed("Version: 0.2", "Version: 9").encode(), "mao.yml")
    assert in_lines(refused.value).splitlines() == [
        "The definition mao.yml has 1 mistake.",
        "mao.yml:1:10: Version: must be 0.2 or 0.1.",
    ]


PIECES: list[Any] = [*WHOLE.splitlines(keepends=True), "- ", "  ", "\t", "{", "}", "[", "]", "&a ", "*a ", "!!x ", "? "]


@given(st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(PIECES), max_size=30).map("".join)))
def test_any_bytes_are_read_or_refused_in_words(data: bytes | str) -> None:
    try:
        found = parse(data if isinstance(data, bytes) else data.encode(), "mao.yml")
    except Invalid as error:
        assert error.fields
        assert all(place.startswith("mao.yml:") for place in error.fields)
    else:
        assert found.commands
