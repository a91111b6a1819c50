"""``maoctl dataset compare``."""

from __future__ import annotations

import pytest

from cli.exits import Exit
from tests.unit.cli.conftest import Reply, Run, StubServer

ADDRESS = "/api/datasets/helm/compare"


def test_the_answer_is_printed_as_the_server_wrote_it(maoctl: Run, server: StubServer) -> None:
    server.on("GET", ADDRESS, Reply(values={"isIdentical": False, "text": "~ a.csv: changed\n"}))
    result = maoctl("dataset", "compare", "helm", "--key", "id")
    assert (result.out, result.exit) == ("~ a.csv: changed\n", Exit.DIFFERENT)
    asked = "from=previous&to=latest&key=id&scope=snapshot&format=text&limit=1000"
    assert server.paths() == [f"GET {ADDRESS}?{asked}"]


def test_programs_get_the_object(maoctl: Run, server: StubServer) -> None:
    server.on("GET", ADDRESS, Reply(values={"isIdentical": True, "files": []}))
    result = maoctl("dataset", "compare", "helm", "run:1", "abcdef1", "--scope", "tree", "-o", "json")
    assert (result.json, result.exit) == ({"isIdentical": True, "files": []}, Exit.DONE)
    assert "from=run:1&to=abcdef1&scope=tree&format=json" in server.paths()[0].replace("%3A", ":")


@pytest.mark.parametrize("asked", [("-o", "csv"), ("--format", "csv"), ("-o", "csv", "--format", "html")])
def test_csv_is_a_row_for_each_difference_however_it_is_asked_for(
    maoctl: Run, server: StubServer, asked: tuple[str, ...]
) -> None:
    rows = "file,row,status\na.csv,2,changed\n"
    server.on("GET", ADDRESS, Reply(values={"isIdentical": False, "text": rows, "files": [{"status": "changed"}]}))
    result = maoctl("dataset", "compare", "helm", *asked)
    assert (result.out, result.exit) == (rows, Exit.DIFFERENT)
    assert "format=csv" in server.paths()[0]


def test_one_snapshot_is_compared_with_the_latest(maoctl: Run, server: StubServer) -> None:
    server.on("GET", ADDRESS, Reply(values={"isIdentical": True, "text": "Nothing differs.\n"}))
    assert maoctl("dataset", "compare", "helm", "run:1").exit == Exit.DONE
    assert "from=run:1&to=latest" in server.paths()[0].replace("%3A", ":")


@pytest.mark.parametrize("output", ["json", "ndjson"])
@pytest.mark.parametrize("form", ["text", "csv", "html"])
def test_a_form_of_the_text_is_refused_where_no_text_is_printed(
    maoctl: Run, server: StubServer, output: str, form: str
) -> None:
    result = maoctl("dataset", "compare", "helm", "--format", form, "-o", output)
    assert (result.exit, server.requests) == (Exit.USAGE, [])
    assert f"-o {output} prints none" in result.err


@pytest.mark.parametrize("option", [("--scope", "all"), ("--format", "pdf"), ("--limit", "-1")])
def test_what_makes_no_sense_is_refused_before_anything_is_asked(
    maoctl: Run, server: StubServer, option: tuple[str, str]
) -> None:
    assert maoctl("dataset", "compare", "helm", *option).exit == Exit.USAGE
    assert server.requests == []
