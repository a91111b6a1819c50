from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from app.compare import Options, Source, compare_pairs
from app.compare.apart import Bounds, NotCompared, compare_apart

PAIRS = [
    (Source("a.csv", b"id,n\n1,x\n2,y\n"), Source("a.csv", b"id,n\n1,z\n2,y\n")),
    (None, Source("new.csv", b"id,n\n1,x\n")),
    (Source("old.bin", b"\0"), None),
]
MIB = 1 << 20


def test_another_process_finds_the_same() -> None:
    options = Options(key=("id",))
    assert compare_apart(PAIRS, options) == compare_pairs(PAIRS, options).to_dict()


def test_a_part_of_a_file_without_a_name_can_be_compared() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"....id\n1\n2\n....")
        file.flush()
        part = Source("a.csv", Path(f"/dev/fd/{file.fileno()}"), offset=4, size=7)
        answer = compare_apart([(Source("a.csv", b"id\n1\n"), part)], Options(), descriptors=(file.fileno(),))
    assert (answer["counts"]["addedRows"], answer["counts"]["newRows"]) == (1, 2)


def test_other_forms_come_as_text() -> None:
    answer = compare_apart(PAIRS, Options(), form="html")
    assert answer["text"].startswith("<!doctype html>")
    assert "files" not in answer


def test_a_missing_key_column_falls_back_to_whole_rows_and_says_so() -> None:
    answer = compare_apart(PAIRS[:1], Options(key=("nobody",)))
    assert answer["counts"]["addedRows"] == 1
    assert "nobody" in answer["files"][0]["problems"][0]["text"]


def test_more_time_than_allowed_ends_it() -> None:
    with pytest.raises(NotCompared, match=r"more than 0\.01 seconds"):
        compare_apart(PAIRS, Options(), bounds=Bounds(seconds=0.01))


def test_more_memory_than_allowed_ends_it() -> None:
    wide = Source("a.csv", b'id\n"' + b'""' * 2 * MIB + b'"\n')
    with pytest.raises(NotCompared, match="The files need more memory than a comparison may take"):
        compare_apart([(wide, Source("a.csv", b""))], Options(), bounds=Bounds(memory_bytes=24 * MIB))


def test_an_answer_that_is_too_large_is_refused() -> None:
    with pytest.raises(NotCompared, match="fewer"):
        compare_apart(PAIRS, Options(), bounds=Bounds(answer_bytes=10))


def test_what_broke_is_told_to_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(NotCompared, match="the log of the agent says more") as caught:
        compare_apart([(None, Source("a.csv", Path("/nowhere/a.csv"), size=1))], Options())
    assert "nowhere" not in str(caught.value)
    (record,) = caplog.records
    assert "FileNotFoundError" in record.getMessage()
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize(
    ("number", "word"),
    [(signal.SIGXCPU, "processor time"), (signal.SIGKILL, "killed"), (signal.SIGSEGV, "failed")],
)
def test_a_child_that_uses_up_its_time_is_killed_or_breaks_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, word: str
) -> None:
    child = tmp_path / "child"
    child.write_text(f"#!/bin/sh\nkill -{number.value} $$\n")
    child.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(child))
    with pytest.raises(NotCompared, match=word):
        compare_apart(PAIRS, Options())


def test_the_limit_of_processor_time_is_told_by_its_own_signal() -> None:
    """The limit ends a child whose parent no longer watches the clock."""
    endless = (
        f"from app.compare import child; child._answer = lambda _: [0 for _ in iter(int, 1)]; child.main({1 << 40}, 1)"
    )
    done = subprocess.run([sys.executable, "-c", endless], input=b"{}", capture_output=True, check=False)
    assert done.returncode == -signal.SIGXCPU
