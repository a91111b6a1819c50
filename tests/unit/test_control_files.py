"""Control files: what is read from a folder that a container wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BackendFailed
from app.services.control_files import (
    HEAD_BYTES,
    Metric,
    control_files,
    newest_control_file,
    read_control_metric,
)


def _written(folder: Path, content: bytes) -> Path:
    path = folder / "control-1.csv"
    path.write_bytes(content)
    return path


def _series(folder: Path, **contents: str) -> None:
    for name, content in contents.items():
        (folder / f"control-{name.replace('_', '-')}.csv").write_text(content)


@pytest.mark.parametrize(
    ("content", "text", "value"),
    [
        (b"900", "900", 900.0),
        (b"900\n", "900", 900.0),
        (b"900\r\n", "900", 900.0),
        (b"900\rmore", "900", 900.0),
        (b"900,1,2\n901,3,4\n", "900", 900.0),
        (b"900;1\n", "900", 900.0),
        (b"900\t1\n", "900", 900.0),
        (b"  900  ,x", "900", 900.0),
        (b"\n \n\t\n  900\n", "900", 900.0),
        (b'"900",x', "900", 900.0),
        (b"'900',x", "900", 900.0),
        (b'" 900 "\n', "900", 900.0),
        (b"\xef\xbb\xbf900\n", "900", 900.0),
        (b"\xef\xbb\xbfcount\n900\n", "900", 900.0),
        (b"count,date\n\n900,2020\n", "900", 900.0),
        (b",count\n0,900\n", "0", 0.0),
        (b"-3.50\n", "-3.50", -3.5),
        (b"+.5", "+.5", 0.5),
        (b"5.", "5.", 5.0),
        (b"1.5e3", "1.5e3", 1500.0),
        (b"\xff\xfe,x\n900", "900", 900.0),
    ],
)
def test_the_first_cell_is_the_metric_as_the_file_has_it(
    tmp_path: Path, content: bytes, text: str, value: float
) -> None:
    assert read_control_metric(_written(tmp_path, content)) == Metric(text, value)


@pytest.mark.parametrize(
    ("content", "text", "reason"),
    [
        (b"", "", "is empty"),
        (b" \n\t\r\n", "", "is empty"),
        (b"nan", "nan", "does not begin with a finite number"),
        (b"-Infinity\n5\n", "-Infinity", "does not begin with a finite number"),
        (b"count\nNaN\n", "NaN", "does not begin with a finite number"),
        (b"1e999", "1e999", "does not begin with a finite number"),
        (b"many", "many", "does not begin with a number"),
        (b"count\nmany\n5\n", "many", "does not begin with a number"),
        (b'"1,000"', "1,000", "does not begin with a number"),
        (b"1'000", "1'000", "does not begin with a number"),
        (b"1_000", "1_000", "does not begin with a number"),
        (b"0x10", "0x10", "does not begin with a number"),
        ("\u0661\u0662".encode(), "\u0661\u0662", "does not begin with a number"),
        (b"12 34", "12 34", "does not begin with a number"),
        (b"\x00\x01\x02", "\x00\x01\x02", "does not begin with a number"),
        (b"9" * 200, "9" * 100, "does not begin with a number"),
    ],
)
def test_what_is_no_finite_number_has_no_value_and_a_reason(
    tmp_path: Path, content: bytes, text: str, reason: str
) -> None:
    assert read_control_metric(_written(tmp_path, content)) == Metric(text, None, reason)


def test_only_the_head_of_a_large_file_is_read(tmp_path: Path) -> None:
    path = _written(tmp_path, b"900,first\n")
    os.truncate(path, 4 * 2**30)
    assert read_control_metric(path) == Metric("900", 900.0)


def test_a_number_that_the_head_cuts_in_two_is_not_read(tmp_path: Path) -> None:
    path = _written(tmp_path, b"\n" * (HEAD_BYTES - 2) + b"1234567\n")
    assert read_control_metric(path) == Metric("", None, "is empty")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("12345")
    link = tmp_path / "control-1.csv"
    link.symlink_to(secret)
    assert read_control_metric(link) == Metric("", None, "is a link")


def test_a_pipe_without_a_writer_does_not_block(tmp_path: Path) -> None:
    pipe = tmp_path / "control-1.csv"
    os.mkfifo(pipe)
    assert read_control_metric(pipe) == Metric("", None, "is not a regular file")


def test_a_folder_is_no_control_file(tmp_path: Path) -> None:
    assert read_control_metric(tmp_path) == Metric("", None, "is not a regular file")


def test_a_file_that_is_gone_has_a_reason(tmp_path: Path) -> None:
    assert read_control_metric(tmp_path / "control-1.csv").reason == "cannot be read: No such file or directory"


@settings(deadline=None)
@given(content=st.binary(max_size=300))
def test_any_content_is_read_without_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    metric = read_control_metric(_written(tmp_path_factory.getbasetemp(), content))
    assert (metric.value is None) == bool(metric.reason)


def test_the_newest_by_name_of_the_written_files_is_the_current_one(tmp_path: Path) -> None:
    _series(tmp_path, **{"2019_9_28": "1", "2019_9_29": "2", "2019_9_30": "3", "2019_10_1": "900"})
    written = ["control-2019-9-30.csv", "control-2019-10-1.csv", "data/rows.csv"]
    assert newest_control_file(tmp_path, written) == "control-2019-10-1.csv"
    assert newest_control_file(tmp_path, ["control-2019-9-30.csv"]) == "control-2019-9-30.csv"


@pytest.mark.parametrize("written", [[], ["rows.csv"], ["old/control-9.csv"], ["control-gone.csv"], ["control-1.txt"]])
def test_a_run_that_wrote_no_control_file_has_no_current_one(tmp_path: Path, written: list[str]) -> None:
    _series(tmp_path, **{"1": "1", "2": "2"})
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "control-9.csv").write_text("9")
    (tmp_path / "control-1.txt").write_text("9")
    assert newest_control_file(tmp_path, written) is None


def test_a_folder_with_the_name_of_a_control_file_does_not_count(tmp_path: Path) -> None:
    _series(tmp_path, **{"1": "1"})
    (tmp_path / "control-0.csv").mkdir()
    assert control_files(tmp_path) == ["control-1.csv"]


def test_a_data_folder_that_is_gone_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(BackendFailed, match="The data directory cannot be read: No such file") as caught:
        newest_control_file(tmp_path / "gone", [])
    assert caught.value.cause == "data_unavailable"
