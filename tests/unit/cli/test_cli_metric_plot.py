"""``maoctl metric plot``: every series is drawn, or it is said why not."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from cli.exits import Exit
from tests.unit.cli.conftest import Reply, Run, StubServer, Terminal
from tests.unit.cli.samples import a_page
from tests.unit.cli.test_cli_metric import METRICS, a_point

POINTS = f"{METRICS}/control"
DECISIONS = "/api/tools/spike/decisions"
REJECTED = {
    "id": 1,
    "kind": "reject",
    "actor": "olga",
    "why": "the crawler was $down$\x1b[31m",
    "decidedAt": "2026-01-09T10:00:00+00:00",
    "undoneAt": None,
    "points": [{"id": 3}],
}
UNDONE = {**REJECTED, "why": "a mistake", "undoneAt": "2026-01-10T10:00:00+00:00"}
MUTED = {**REJECTED, "kind": "mute", "why": "holidays", "decidedAt": "2026-01-05T10:00:00+00:00", "points": []}
SERIES = [
    a_point(8),
    a_point(7, 1500.0, "spike", standing="flagged"),
    a_point(6, 910.0),
    a_point(5, 0.0, "zero"),
    a_point(4, None, "bad_metric"),
    a_point(3, 500.0, "drop", standing="excluded"),
    a_point(2, 905.0),
    a_point(1, low=None, high=None),
]
HARD = {
    "constant": [900.0] * 5,
    "all zero": [0.0] * 5,
    "one point": [900.0],
    "huge": [1.7e308, -1.7e308, 1e308],
    "tiny": [5e-324, 1e-310, 0.0],
    "nearly constant": [1e15, 1e15 + 0.125, 1e15],
    "negative": [-5.0, -7.0, -6.0],
}


def serve(server: StubServer, points: list[dict[str, Any]], *decisions: dict[str, Any]) -> None:
    server.on("GET", POINTS, Reply(values=a_page(*points)))
    server.on("GET", DECISIONS, Reply(values=a_page(*decisions)))


def series(values: list[float]) -> list[dict[str, Any]]:
    return [a_point(day, value, low=value, high=value) for day, value in enumerate(values, 1)][::-1]


@pytest.fixture
def plot(maoctl: Run, server: StubServer) -> Run:
    serve(server, SERIES, REJECTED, UNDONE, MUTED)
    return maoctl


def test_a_pipe_gets_eighty_columns_with_every_kind_of_point_and_the_decisions(plot: Run) -> None:
    result = plot("metric", "plot", "spike")
    assert (result.exit, result.err) == (Exit.DONE, "")
    drawing, told = result.out.split("└")
    assert max(map(len, drawing.splitlines())) <= 80
    for mark in "•▲○×░":
        assert mark in drawing
    assert "▼" not in drawing, "a person took that point out"
    assert "decided │" in drawing
    assert "2026-01-01 00:00" in told
    assert "2026-01-08 00:00" in told
    assert "1 point(s) without a number are not shown" in told
    assert "R: reject 1 point(s), by olga at 2026-01-09 10:00 UTC: the crawler was $down$\n" in told
    assert "M: mute, by olga" in told
    assert "a mistake" not in told


def test_a_stream_without_these_characters_gets_others(plot: Run) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict", write_through=True)
    assert plot("metric", "plot", "spike", out=out).exit == Exit.DONE
    drawn = out.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    for mark in "*^0x:|+-":
        assert mark in drawn


def test_a_terminal_gets_its_own_width_unless_another_is_wanted(plot: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    drawn = plot("metric", "plot", "spike", out=Terminal()).out
    assert [len(line) for line in drawn.splitlines() if "└" in line] == [100]
    narrow = plot("metric", "plot", "spike", "--width", "40").out
    assert max(map(len, narrow.split("└")[0].splitlines())) <= 40
    assert plot("metric", "plot", "spike", "--width", "39").exit == Exit.USAGE


@pytest.mark.parametrize("values", HARD.values(), ids=HARD)
def test_every_series_is_drawn_in_the_terminal_and_as_an_image(
    maoctl: Run, server: StubServer, place: Path, values: list[float]
) -> None:
    serve(server, series(values))
    drawn = maoctl("metric", "plot", "spike")
    assert drawn.exit == Exit.DONE
    assert "•" in drawn.out
    assert not {"nan", "inf"} & set(drawn.out.split())
    assert maoctl("metric", "plot", "spike", "--file", "out.png").exit == Exit.DONE
    assert (place / "out.png").read_bytes().startswith(b"\x89PNG")


def test_the_numbers_beside_a_nearly_constant_series_differ(maoctl: Run, server: StubServer) -> None:
    serve(server, series([1_000_000.0, 1_000_001.0, 1_000_000.5]))
    ticks = [line.split()[0] for line in maoctl("metric", "plot", "spike").out.splitlines() if "┤" in line]
    assert len(set(ticks)) == len(ticks) == 4


def test_a_gap_is_as_wide_as_the_time_was_long(maoctl: Run, server: StubServer) -> None:
    serve(server, [a_point(31), a_point(3), a_point(2), a_point(1)])
    lines = maoctl("metric", "plot", "spike").out.splitlines()
    row = next(line for line in lines if "•" in line)
    assert row.rindex("•") - row[: row.rindex("•")].rindex("•") > 60


def test_points_of_one_time_stand_in_their_order(maoctl: Run, server: StubServer, place: Path) -> None:
    same = {"measuredTime": "2026-01-01T00:00:00+00:00"}
    serve(server, [a_point(day, 900.0 + day, **same) for day in (4, 3, 2, 1)], REJECTED)
    drawn = maoctl("metric", "plot", "spike").out
    columns = [line.index("•") for line in drawn.split("└")[0].splitlines() if "•" in line]
    assert len(set(columns)) == 4
    assert columns == sorted(columns, reverse=True), "the newest and largest is above, and on the right"
    assert "in their order, as times would not show them" in drawn
    assert maoctl("metric", "plot", "spike", "--file", "out.svg").exit == Exit.DONE
    assert "in their order" not in maoctl("metric", "plot", "spike", "--last", "1").out


@pytest.mark.parametrize("year", ["0001", "9999"])
@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_date_of_any_year_is_drawn(maoctl: Run, server: StubServer, place: Path, year: str, kind: str) -> None:
    odd = a_point(2, 901.0, measuredTime=f"{year}-12-31T00:00:00+00:00")
    serve(server, [odd, a_point(1)] if year == "9999" else [a_point(1), odd], REJECTED)
    assert "in their order" in maoctl("metric", "plot", "spike").out
    assert maoctl("metric", "plot", "spike", "--file", f"out.{kind}").exit == Exit.DONE


def test_signs_that_the_font_does_not_have_are_no_words_on_the_screen(
    maoctl: Run, server: StubServer, place: Path
) -> None:
    serve(server, SERIES, {**REJECTED, "why": "漢字 \U0001f980"})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert maoctl("metric", "plot", "spike", "--file", "out.png").exit == Exit.DONE
    assert not [str(one.message) for one in caught if "Glyph" in str(one.message)]


def test_what_cannot_be_drawn_says_why(maoctl: Run, server: StubServer) -> None:
    serve(server, [])
    empty = maoctl("metric", "plot", "spike")
    assert (empty.exit, empty.out) == (Exit.REFUSED, "")
    assert "no points of spike control" in empty.err
    serve(server, [a_point(1, None), a_point(2, None)])
    assert "None of the 2 point(s) of spike control is a number" in maoctl("metric", "plot", "spike").err


def test_a_time_and_a_number_of_points_may_be_chosen(plot: Run) -> None:
    asked = ("--from", "2026-01-02T00:00Z", "--to", "2026-01-07T00:00Z", "--last", "3", "-o", "json")
    assert [point["id"] for point in plot("metric", "plot", "spike", *asked).json] == [5, 6, 7]


def test_an_svg_shows_what_was_written_and_is_put_in_place_whole(plot: Run, place: Path) -> None:
    (place / "out.svg").write_text("an older one")
    result = plot("metric", "plot", "spike", "--file", "out.svg", "-o", "json")
    assert result.json == {"file": "out.svg", "points": 7}
    image = (place / "out.svg").read_text()
    assert ElementTree.fromstring(image).tag.endswith("svg")
    assert [path.name for path in place.iterdir()] == ["out.svg"]


@pytest.mark.parametrize("name", ["out.pdf", "out", "nowhere/out.png"])
def test_a_file_that_cannot_be_is_refused(plot: Run, name: str) -> None:
    result = plot("metric", "plot", "spike", "--file", name)
    assert result.exit == Exit.USAGE
    assert name in result.err


def test_without_the_library_it_is_said_how_to_get_it(plot: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = plot("metric", "plot", "spike", "--file", "out.png")
    assert result.exit == Exit.USAGE
    assert "pip install 'mao-orchestrator[plot]'" in result.err


def test_the_command_line_loads_the_library_only_where_an_image_is_wanted() -> None:
    code = "import cli.main, sys; print('matplotlib' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    assert done.stdout == "False\n"


def test_a_decision_stands_at_its_point_where_all_points_are_of_one_day(maoctl: Run, server: StubServer) -> None:
    points = [a_point(number, measuredTime="2026-01-01T00:00:00+00:00") for number in (5, 4, 3, 2, 1)]
    serve(server, points, {**REJECTED, "kind": "accept", "points": [{"id": 5}]})
    lines = maoctl("metric", "plot", "spike", "--width", "80").out.splitlines()
    assert next(line for line in lines if line.lstrip().startswith("decided")).endswith("A")
