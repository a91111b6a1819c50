"""The four formats, pages, and what a spreadsheet or terminal could be made to do."""

from __future__ import annotations

import csv
import io
import json

import pytest

from cli.exits import Exit
from cli.output import Format, Printer
from cli.terminal import Decoder, clean
from tests.unit.cli.conftest import Reply, Run, StubServer, Terminal
from tests.unit.cli.samples import TOOL, a_page

COLUMNS = {"name": "NAME", "at": "AT"}


def printed(form: Format, *items: dict[str, object], stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    Printer(stream, form).items(items, COLUMNS)
    return stream.getvalue()


def test_a_table_shows_headings_and_times_with_their_zone() -> None:
    rows = printed(Format.TABLE, {"name": "spike", "at": "2026-11-22T04:00:00.25+01:00"}).splitlines()
    assert [row.split("  ")[0].rstrip() for row in rows] == ["NAME", "spike"]
    assert rows[1].endswith("2026-11-22 03:00 UTC")


def test_an_instant_between_minutes_shows_its_seconds() -> None:
    assert printed(Format.TABLE, {"name": "", "at": "2026-11-22T03:00:07Z"}).endswith("2026-11-22 03:00:07 UTC\n")


def test_a_table_in_a_pipe_is_neither_coloured_nor_folded() -> None:
    text = printed(Format.TABLE, {"name": "x" * 500, "at": "[red]markup[/red]"})
    assert "x" * 500 in text
    assert "[red]markup[/red]" in text
    assert "\x1b" not in text


def test_a_hostile_cell_stays_in_its_row() -> None:
    text = printed(Format.TABLE, {"name": "a\nFAKE row\x1b[2K\u202e", "at": None}, stream=Terminal())
    assert len(text.splitlines()) == 2
    assert "\x1b[2K" not in text
    assert "\u202e" not in text


def test_json_is_a_list_with_every_key() -> None:
    item = {"name": "spike", "at": None, "more": {"a": [1]}}
    assert json.loads(printed(Format.JSON, item)) == [item]


def test_json_shows_no_raw_control_character() -> None:
    assert "\x9b" not in printed(Format.JSON, {"name": "\x9b2J\x1b[2J"})


def test_ndjson_has_one_object_a_line() -> None:
    lines = printed(Format.NDJSON, {"name": "a\nb"}, {"name": "c"}).splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["a\nb", "c"]


def test_csv_has_the_keys_and_iso_times() -> None:
    text = printed(Format.CSV, {"name": 'a,"b"\nc', "at": "2026-11-22T03:00:00Z"})
    assert list(csv.reader(io.StringIO(text))) == [["name", "at"], ['a,"b"\nc', "2026-11-22T03:00:00Z"]]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_gives_what_a_spreadsheet_would_run_a_leading_quote(start: str) -> None:
    text = printed(Format.CSV, {"name": f"{start}cmd|' /C calc'!A0"})
    assert next(csv.DictReader(io.StringIO(text, newline="")))["name"].startswith(f"'{start}")


def test_csv_leaves_numbers_alone() -> None:
    assert printed(Format.CSV, {"name": -5, "at": False}) == "name,at\n-5,false\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1086.0, "1086"),
        (1234567890.0, "1234567890"),
        (1139.8834394081287, "1139.88"),
        (0.00001234567, "1.23457e-05"),
        (-6.085392328e300, "-6.08539e+300"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
    ],
)
def test_a_float_is_short_in_a_table(value: float, shown: str) -> None:
    assert printed(Format.TABLE, {"name": value, "at": {"low": value}}).split()[2:] == [shown, f"low={shown}"]


def test_a_float_is_whole_for_programs() -> None:
    assert json.loads(printed(Format.JSON, {"name": 1139.8834394081287})) == [{"name": 1139.8834394081287}]
    assert "1139.8834394081287" in printed(Format.CSV, {"name": 1139.8834394081287})


def test_an_empty_list_is_empty_in_each_format() -> None:
    assert printed(Format.TABLE).split() == ["NAME", "AT"]
    assert printed(Format.JSON) == "[]\n"
    assert printed(Format.NDJSON) == ""
    assert printed(Format.CSV) == "name,at\n"


def test_one_thing_is_a_list_of_its_values() -> None:
    stream = io.StringIO()
    Printer(stream).item({"name": "spike", "env": {"A": "1"}, "command": ["a", "b"], "hub": "", "is": True})
    assert [line.split(maxsplit=1) for line in stream.getvalue().splitlines()] == [
        ["name", "spike"],
        ["env", "A=1"],
        ["command", "a, b"],
        ["is", "yes"],
    ]


def test_one_thing_in_csv_has_one_row() -> None:
    stream = io.StringIO()
    Printer(stream, Format.CSV).item({"name": "spike", "command": ["a"], "hub": None})
    assert list(csv.reader(io.StringIO(stream.getvalue()))) == [["name", "command", "hub"], ["spike", '["a"]', ""]]


def test_pages_are_followed_up_to_the_limit(maoctl: Run, server: StubServer) -> None:
    first = a_page({**TOOL, "name": "a"}, {**TOOL, "name": "b"}, following="b")
    second = a_page({**TOOL, "name": "c"}, {**TOOL, "name": "d"}, following="d")
    server.on("GET", "/api/tools", Reply(values=first), Reply(values=second))
    result = maoctl("tool", "get", "--limit", "3", "-o", "ndjson")
    assert [json.loads(line)["name"] for line in result.out.splitlines()] == ["a", "b", "c"]
    assert server.paths() == ["GET /api/tools?limit=3", "GET /api/tools?limit=1&cursor=b"]
    assert "--limit" in result.err


def test_the_last_page_needs_no_note(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/tools", Reply(values=a_page(TOOL, following="spike")), Reply(values=a_page()))
    result = maoctl("tool", "get")
    assert (result.exit, result.err) == (Exit.DONE, "")
    assert server.paths()[0] == "GET /api/tools?limit=100"


def test_no_page_is_asked_to_be_larger_than_the_server_allows(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/tools", Reply(values=a_page()))
    maoctl("tool", "get", "--limit", "9000")
    assert server.paths() == ["GET /api/tools?limit=500"]


def test_a_list_that_never_ends_is_a_failure_of_the_server(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/tools", Reply(values=a_page(following="again")))
    assert maoctl("tool", "get").exit == Exit.SERVER_FAILED
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("a\x1b[31mred\x1b[0m", "ared"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]52;c;c2VjcmV0\x1b\\text", "text"),
        ("\x9b2Jtext", "text"),
        ("50 %\r60 %\b\x00\x7f", "50 %60 %"),
        ("tab\tand\nnewline stay", "tab\tand\nnewline stay"),
        ("\u202etxt.exe", "txt.exe"),
        ("\x1b", ""),
        ("Größe 数", "Größe 数"),
    ],
)
def test_control_characters_are_taken_out(hostile: str, shown: str) -> None:
    assert clean(hostile) == shown


def test_a_character_cut_in_two_stays_whole() -> None:
    decoder = Decoder()
    pieces = [decoder.feed(bytes([byte])) for byte in "ü数".encode()]
    assert "".join(pieces) == "ü数"
    assert decoder.feed(b"\xc3", is_last=True) == "\ufffd"
