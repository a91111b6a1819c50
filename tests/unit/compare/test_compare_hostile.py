"""Odd files: none takes the comparison down, and each has its answer."""

from __future__ import annotations

import itertools
import random

import pytest

from app.compare import Comparison, FileComparison, Options, Source, Status, compare_files
from app.compare.records import MAX_RECORD_BYTES
from app.compare.update import new_lines
from app.compare.writers import WRITERS

GOOD = b"id,name\n1,a\n2,b\n"
BROKEN = b'id,name\n1,"a\n2,b\n'


def _noise(seed: int, alphabet: bytes) -> bytes:
    chance = random.Random(seed)
    return bytes(chance.choices(alphabet, k=chance.randrange(300)))


CORPUS: dict[str, bytes] = {
    "empty": b"",
    "one newline": b"\n",
    "only newlines": b"\n\r\n\r\r\n",
    "only a header": b"id,name\n",
    "no last newline": b"id,name\n1,a",
    "carriage returns": b"id,name\r1,a\r2,b\r",
    "mixed line ends": b"id,name\r\n1,a\n2,b\r\r\n3,c\r4,d",
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "only a mark": b"\xef\xbb\xbf",
    "half a mark": b"\xef\xbb",
    "utf-16": GOOD.decode().encode("utf-16"),
    "utf-16 the other way": b"\xfe\xff" + GOOD.decode().encode("utf-16-be"),
    "utf-16, cut in a character": GOOD.decode().encode("utf-16")[:-1],
    "utf-16 with a lone surrogate": b"\xff\xfe" + b"\x00\xd8,\x00",
    "utf-32": GOOD.decode().encode("utf-32"),
    "utf-16 without a mark": GOOD.decode().encode("utf-16-le"),
    "latin": "id,name\n1,Zürich\n".encode("latin-1"),
    "all bytes": bytes(range(256)) * 3,
    "undefined in windows-1252": b"id,name\n1,\x81\x8d\xe9\n",
    "mixed encodings": "id,name\n1,é\n".encode() + "2,é\n".encode("latin-1"),
    "overlong utf-8": b"id,name\n1,\xc0\xaf\n",
    "nul at once": b"\0",
    "nul in a cell": b"id,name\n1,a\0b\n",
    "nul late": GOOD * 10_000 + b"3,\0\n",
    "a quote that never ends": BROKEN,
    "a quote that never ends in the header": b'"id,name\n1,a\n',
    "quotes only": b'"' * 999,
    "quotes after the end": b'id,name\n1,"a"b"c"\n',
    "quotes within": b'id,name\n1,5" pipe\n2,b\n',
    "quotes that open everywhere": b'a","b\n' * 5000,
    "doubled quotes": b'id,name\n1,"a""b"\n',
    "line ends in cells": b'id,name\n1,"a\nb"\n2,"c\r\nd"\n',
    "ragged": b"id,name\n1\n2,b,c,d\n,,,,\n",
    "delimiters only": b",,,\n,,,\n",
    "semicolons": b"id;name\n1;a\n",
    "tabs": b"id\tname\n1\ta\n",
    "bars": b"id|name\n1|a\n",
    "two delimiters": b"id,name;x\n1,a;b\n",
    "no header": b"1,2\n3,4\n",
    "the same name twice": b"id,id,id (2),\n1,2,3,4\n",
    "nameless": b",,\n1,2,3\n",
    "one column": b"id\n1\n2\n",
    "formula": b"id,name\n1,=cmd()\n",
    "script": b"id,name\n1,<script>alert(1)</script>\n",
    "terminal": b"id,name\n1,\x1b[2J\x9b31m\n",
    "wide": b",".join([b"x"] * 5000) + b"\n",
    "a long cell": b"id,name\n1," + b"x" * 300_000 + b"\n",
    "an endless line": b"id,name\n" + b"x" * (MAX_RECORD_BYTES + 2_000_000),
    "an endless quote": b'id,name\n1,"' + (b"x" * 9999 + b"\n") * (MAX_RECORD_BYTES // 9000),
    "spaces": b" id , name \n 1 , a \n",
    "bidirectional": "id,name\n1,\u202eabc\n".encode(),
    **{f"noise {seed}": _noise(seed, b'",;\t|\n\r\0ab1\xe9\xc3=') for seed in range(40)},
    **{f"bytes {seed}": _noise(seed, bytes(range(256))) for seed in range(15)},
}
BIG = {"an endless line", "an endless quote", "nul late", "wide", "a long cell", "quotes that open everywhere"}


def compared(old: bytes, new: bytes, **options: object) -> FileComparison:
    return compare_files(Source("a.csv", old), Source("a.csv", new), Options(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CORPUS)
def test_an_odd_file_is_identical_to_itself(name: str) -> None:
    result = compared(CORPUS[name], CORPUS[name], memory_bytes=10_000)
    assert result.status is Status.IDENTICAL
    assert Comparison((result,)).is_identical


@pytest.mark.parametrize("name", CORPUS)
def test_an_odd_file_compares_with_a_good_one_and_is_written_in_every_form(name: str) -> None:
    for old, new in ((GOOD, CORPUS[name]), (CORPUS[name], GOOD)):
        result = Comparison((compared(old, new, limit=5),))
        assert result.is_identical is (result.files[0].status is Status.IDENTICAL)
        for write in WRITERS.values():
            write(result).encode()


def test_odd_files_compare_with_each_other() -> None:
    small = [name for name in CORPUS if name not in BIG]
    for old, new in itertools.combinations(small, 2):
        there, back = compared(CORPUS[old], CORPUS[new]), compared(CORPUS[new], CORPUS[old])
        assert (there.counts is None) is (back.counts is None), (old, new)
        assert there.status is back.status, (old, new)
        if there.counts and back.counts:
            assert there.counts.added_rows == back.counts.removed_rows, (old, new)
            assert there.counts.changed_rows == back.counts.changed_rows, (old, new)


def test_a_quote_that_never_ends_costs_no_rows_and_is_told_with_its_row() -> None:
    result = compared(GOOD, BROKEN)
    assert result.counts
    assert (result.counts.new_rows, result.counts.added_rows, result.counts.removed_rows) == (2, 1, 1)
    assert [(problem.side, problem.row) for problem in result.problems] == [("new", 2)]


def test_a_line_that_is_too_long_is_told_with_its_row_and_the_bytes_are_compared() -> None:
    result = compared(GOOD, CORPUS["an endless line"])
    assert result.counts is None
    assert [(problem.side, problem.row) for problem in result.problems] == [("new", 2)]


def test_what_looks_like_no_text_is_compared_as_bytes() -> None:
    result = compared(GOOD, b"\0\1\2")
    assert (result.status, result.counts, result.old_bytes, result.new_bytes) == (Status.CHANGED, None, len(GOOD), 3)


def test_a_ragged_row_is_told_with_its_number() -> None:
    result = compared(GOOD, b"id,name\n1,a\n2,b,c\n", key=("id",))
    assert [(problem.side, problem.row) for problem in result.problems] == [("new", 3)]
    assert [(cell.column, cell.old, cell.new) for cell in result.differences[0].cells] == [("column 3", "", "c")]


@pytest.mark.parametrize("name", ["byte order mark", "utf-16", "utf-16 the other way", "utf-32"])
def test_the_same_rows_in_another_encoding_are_identical(name: str) -> None:
    assert compared(GOOD, CORPUS[name]).status is Status.IDENTICAL


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_same_rows_with_another_delimiter_are_identical(delimiter: str) -> None:
    assert compared(GOOD, GOOD.replace(b",", delimiter.encode())).status is Status.IDENTICAL


def test_the_same_rows_in_latin_1_and_with_other_line_ends_are_identical() -> None:
    text = "id,name\n1,Zürich\n2,Genève\n"
    assert compared(text.encode(), text.replace("\n", "\r\n").encode("cp1252")).status is Status.IDENTICAL


def test_what_an_update_brought_is_given_as_it_is() -> None:
    old, new = b'id,n\n1,"a\nb"\n2,x\n', b'id,n\r\n2,x\r\n1,"a\nb"\r\n3,"=c\n\xe9"\r\n2,x\r\n'
    assert list(new_lines(Source("a", old), Source("b", new), Options())) == [b'3,"=c\n\xe9"\n']
