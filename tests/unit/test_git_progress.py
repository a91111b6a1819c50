"""How git's progress lines become a percentage."""

from __future__ import annotations

from app.repositories.git_progress import ProgressReader


def read(*chunks: bytes) -> list[tuple[int, str]]:
    reported: list[tuple[int, str]] = []
    reader = ProgressReader(lambda percent, stage: reported.append((percent, stage)))
    for chunk in chunks:
        reader.feed(chunk)
    return reported


def test_each_step_has_its_part_of_the_whole() -> None:
    assert read(b"remote: Counting objects: 100% (3/3), done.\nReceiving objects:   0% (0/3)\r") == [
        (3, "preparing"),
        (10, "receiving"),
    ]
    assert read(b"Resolving deltas: 100% (3/3), done.\n") == [(85, "unpacking")]
    assert read(b"Updating files: 100% (3/3), done.\n") == [(99, "writing files")]


def test_a_line_may_arrive_in_pieces() -> None:
    assert read(b"Receiving ob", b"jects:  50% (1/2)", b"\rRec") == [(40, "receiving")]


def test_the_same_percentage_is_reported_once() -> None:
    line = b"Receiving objects:  50% (1/2), 1 MiB | 1 MiB/s\r"
    assert read(line, line) == [(40, "receiving")]


def test_the_number_never_shrinks() -> None:
    lines = b"Receiving objects:  50% (1/2)\rCounting objects:   1% (1/9)\rReceiving objects: 999% (9/9)\r"
    assert [percent for percent, _ in read(lines)] == [40, 40, 70]


def test_what_is_no_progress_is_passed_over_and_not_kept() -> None:
    assert read(b"remote: Hello\n", b"\xff\xfe\n", b"Unknown step:  10% (1/9)\r", b"x" * 100_000) == []
