"""`mao compare`: compare files or folders of this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO

from app.compare import Comparison, Options, Source, WrongUse, compare_places
from app.compare.records import TooLong
from app.compare.text import as_json, shown
from app.compare.update import new_lines
from app.compare.writers import WRITERS
from app.machine.terminal import clean

_IDENTICAL, _DIFFERENT, _WRONG_USE = 0, 1, 2
_UPDATE = "update"
_UPDATE_FILE = Path("update.csv")
_HEADERS = {"auto": None, "yes": True, "no": False}


@dataclass(frozen=True)
class Wish:
    """What the command line says about how to compare and what to write.

    ``is_forced`` says that an ``update.csv`` which nobody named may be lost.
    """

    key: str
    form: str
    output: Path | None
    header: str
    delimiter: str | None
    limit: int
    is_forced: bool = False

    @property
    def options(self) -> Options:
        """How to compare.

        Raises:
            WrongUse: the words contradict each other.
        """
        names = tuple(name.strip() for name in self.key.split(",") if name.strip())
        delimiter = "\t" if self.delimiter == "tab" else self.delimiter
        return Options(names, _HEADERS[self.header], delimiter, self.limit)


def run(old: Path, new: Path, wish: Wish, complain: Callable[[str], None]) -> int:
    """Compare and write; give the exit status: 0 identical, 1 different, 2 wrong use, with a word about it."""
    try:
        return _IDENTICAL if _compare(old, new, wish) else _DIFFERENT
    except WrongUse as error:
        # The message names columns, and those are what a file says.
        complain(shown(str(error)))
    except TooLong as error:
        complain(f"Row {error.row} is longer than a row may be.")
    except OSError as error:
        complain(shown(f"{error.filename or 'A file'} cannot be read or written: {error.strerror}."))
    return _WRONG_USE


def _compare(old: Path, new: Path, wish: Wish) -> bool:
    _refuse_overwriting(old, new, wish.output or _UPDATE_FILE)
    if wish.form == _UPDATE:
        return _write_update(old, new, wish)
    comparison = compare_places(old, new, wish.options)
    is_shown = wish.output is None and sys.stdout.isatty()
    text = _for_terminal(comparison, wish.form) if is_shown else WRITERS[wish.form](comparison)
    _write([text.encode("utf-8", "replace")], wish.output)
    return comparison.is_identical


def _for_terminal(comparison: Comparison, form: str) -> str:
    """Write it so that nothing a file holds is obeyed. A file or a pipe gets every character of it, a terminal not."""
    return clean(as_json(comparison, is_ascii=True) if form == "json" else WRITERS[form](comparison))


def _refuse_overwriting(old: Path, new: Path, output: Path) -> None:
    if output.exists() and any(place.exists() and output.samefile(place) for place in (old, new)):
        raise WrongUse("The output must be another file than the two that are compared.")


def _write_update(old: Path, new: Path, wish: Wish) -> bool:
    if old.is_dir() or new.is_dir():
        raise WrongUse("The form 'update' takes two files, no folders.")
    if wish.output is None and _UPDATE_FILE.exists() and not wish.is_forced:
        raise WrongUse(f"{_UPDATE_FILE} exists already. Name another file with --output, or overwrite it with --force.")
    lines = new_lines(Source(old.name, old), Source(new.name, new), wish.options)
    first = list(islice(lines, 1))
    _write(chain(first, lines), wish.output or _UPDATE_FILE)
    return not first


def _write(parts: Iterable[bytes], output: Path | None) -> None:
    if output is None:
        _write_to(sys.stdout.buffer, parts)
    else:
        with output.open("wb") as file:
            _write_to(file, parts)


def _write_to(file: IO[bytes], parts: Iterable[bytes]) -> None:
    for part in parts:
        file.write(part)
    file.flush()
