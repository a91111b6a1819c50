"""The history of a clone, read from git's objects: which files each commit brought, and what is in them.

Objects never change and are read by commit, not by branch, so nothing here waits for the clone's lock or holds it.
Whatever goes meanwhile (the clone is removed) is an error, and the next look finds it so.
"""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Protocol

from app.errors import BackendFailed
from app.repositories.git_command import Conditions, GitCommand
from app.repositories.git_stream import GitStream

TRAILERS = ("Mao-Run", "Mao-Node", "Mao-Tool", "Mao-Image")
HEAD_BYTES = 2**16
_AT_ONCE = 64
"""How many contents are asked for ahead. So many names fit into the smallest pipe, so that neither side gets stuck."""
_SUBMODULE = "160000"
_RAW = ("--raw", "-z", "--no-renames", "--no-abbrev", "--diff-filter=AMT")
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True)
class ChangedFile:
    """A file that was added or changed: its path (bytes that are no UTF-8 as in ``os``), its blob, the one before."""

    path: str
    blob: str
    blob_before: str | None


@dataclass(frozen=True)
class Change:
    """One commit, with the files that it added or changed against its first parent; ``trailers`` are those of ours."""

    commit: str
    committed_at: datetime
    subject: str
    trailers: Mapping[str, str]
    files: Sequence[ChangedFile]


@dataclass(frozen=True)
class BlobFacts:
    """What is in a file. ``size_bytes`` is None where the clone does not have it, ``rows`` where it is no text.

    ``rows`` counts lines; a last one without an end counts too. ``head`` is its beginning, None where nobody asked.
    """

    size_bytes: int | None
    rows: int | None
    head: bytes | None = None


class History:
    """What is read of the clone whose git folder is ``git_dir``. Every method raises ``BackendFailed``."""

    def __init__(self, git: GitCommand, git_dir: Path) -> None:
        self._git = git
        self._git_dir = git_dir
        self._place = f"--git-dir={git_dir}"

    def head(self) -> str:
        """Give the commit that is checked out now, or an empty text where nothing was ever committed."""
        arguments = ("rev-parse", "--quiet", "--verify", "--end-of-options", "HEAD^{commit}")
        return self._git.run((self._place, *arguments), Conditions(accepted=(0, 1))).text

    def commits(self, head: str) -> list[str]:
        """Give the commits from ``head`` to the oldest one, along first parents."""
        arguments = (self._place, "rev-list", "--first-parent", "--end-of-options", head)
        return self._git.run(arguments, Conditions()).text.split()

    def changes(self, commits: Iterable[str]) -> Iterator[Change]:
        """Give what each of these commits brought, in their order. All of it comes from one git."""
        kinds = ("--root", "--diff-merges=first-parent", "--ignore-submodules=none", *_RAW)
        arguments = (self._place, "log", "--stdin", "--no-walk=unsorted", *kinds, *_form())
        with self._git.opened(arguments, Conditions()) as stream:
            stream.send("".join(f"{commit}\n" for commit in commits).encode())
            stream.end_input()
            yield from _changes(stream)

    def newest_of(self, head: str, path: str) -> Change | None:
        """Give the newest commit up to ``head`` that wrote or removed ``path``, without its files, or None."""
        arguments = ("--literal-pathspecs", "log", "-1", "--no-patch", *_form(), "--end-of-options", head, "--", path)
        printed = self._git.run((self._place, *arguments), Conditions()).data.decode("utf-8", "replace")
        commit, *texts = printed.removesuffix("\n").split("\0")
        return _change(commit, texts, []) if commit else None

    def has(self, commit: str, path: str) -> bool:
        """Tell whether a commit holds a file or folder of that name."""
        arguments = ("rev-parse", "--quiet", "--verify", "--end-of-options", f"{commit}:{path}")
        return self._git.run((self._place, *arguments), Conditions(accepted=(0, 1))).status == 0

    def changes_between(self, before: str, after: str) -> list[ChangedFile]:
        """Give the files that were added or changed from one tree to another."""
        items = iter(self._git.run((self._place, "diff-tree", "-r", *_RAW, before, after), Conditions()).items)
        return [file for raw in items if (file := _changed_file(raw, next(items)))]

    def files(self, tree: str) -> dict[str, str]:
        """Give the files of a tree: path -> blob."""
        items = self._git.run((self._place, "ls-tree", "-r", "-z", "--full-tree", tree), Conditions()).items
        entries = (item.partition("\t") for item in items)
        return {path: facts.split(" ")[2] for facts, _, path in entries if not facts.startswith(_SUBMODULE)}

    def sizes(self, blobs: Iterable[str]) -> dict[str, int | None]:
        """Give the sizes of blobs in bytes, without reading them; None where the clone does not have one."""
        is_here, wanted = self._holdings(), dict.fromkeys(blobs)
        with self._git.opened((self._place, "cat-file", "--batch-check"), Conditions()) as stream:
            found = dict(_sizes(stream, filter(is_here, wanted)))
        return {blob: found.get(blob) for blob in wanted}

    def left_behind(self, blobs: Iterable[str]) -> list[str]:
        """Give those of these blobs that the clone left at its remote."""
        is_here = self._holdings()
        return [blob for blob in dict.fromkeys(blobs) if not is_here(blob)]

    @contextmanager
    def contents(self, *, end: float = math.inf) -> Iterator[Contents]:
        """Give what reads contents, by one git for as long as the block lasts; see ``Contents`` for ``end``."""
        is_here = self._holdings()
        with self._git.opened((self._place, "cat-file", "--batch"), Conditions()) as stream:
            yield Contents(stream, is_here, end)

    def _holdings(self) -> Callable[[str], bool]:
        """Give what tells whether git may be asked for a blob.

        In a clone that left contents behind git would try to fetch what it does not have, and end when it cannot.
        """
        if "promisor" not in self._config():
            return lambda _: True
        form = ("--batch-all-objects", "--unordered", "--batch-check=%(objecttype) %(objectname)")
        here: set[str] = set()
        with self._git.opened((self._place, "cat-file", *form), Conditions()) as stream:
            while line := stream.until(b"\n"):
                kind, _, name = line.decode("ascii").partition(" ")
                if kind == "blob":
                    here.add(name)
            _require_end(stream)
        return here.__contains__

    def _config(self) -> str:
        try:
            return (self._git_dir / "config").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""


class Target(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> object: ...  # noqa: D102


class Contents:
    """Reads blobs, one after the other, piece by piece. What ``is_here`` denies, git is not asked for.

    What is left to be read when ``time.monotonic()`` is ``end`` raises ``BackendFailed``.
    """

    def __init__(self, stream: GitStream, is_here: Callable[[str], bool], end: float = math.inf) -> None:
        self._end = end
        self._stream = stream
        self._is_here = is_here

    def facts(self, blobs: Iterable[str], with_head: Collection[str] = ()) -> Iterator[tuple[str, BlobFacts]]:
        """Give what is in each of these blobs; the beginning of those ``with_head`` too."""
        wanted = list(blobs)
        yield from ((blob, BlobFacts(None, None)) for blob in wanted if not self._is_here(blob))
        for blob, size in _sizes(self._stream, filter(self._is_here, wanted)):
            yield blob, BlobFacts(None, None) if size is None else self._facts(size, is_kept=blob in with_head)

    def copy(self, blob: str, target: Target) -> bool:
        """Write a blob to ``target``, and tell whether the clone has it. What ``target`` raises ends all reading."""
        if not self._is_here(blob):
            return False
        _, size = next(_sizes(self._stream, [blob]))
        for piece in self._pieces(size):
            target.write(piece)
        return size is not None

    def _facts(self, size: int, *, is_kept: bool) -> BlobFacts:
        rows, is_text, head, last = 0, True, b"", b"\n"
        for piece in self._pieces(size):
            rows += piece.count(b"\n")
            is_text = is_text and b"\0" not in piece
            if is_kept and len(head) < HEAD_BYTES:
                head += piece[: HEAD_BYTES - len(head)]
            last = piece[-1:]
        return BlobFacts(size, rows + (last != b"\n") if is_text else None, head if is_kept else None)

    def _pieces(self, size: int | None) -> Iterator[bytes]:
        if size is not None:
            for piece in self._stream.pieces(size):
                if time.monotonic() > self._end:
                    raise BackendFailed("The contents of the local clone could not be read in time.")
                yield piece
            self._stream.until(b"\n")


def _sizes(stream: GitStream, blobs: Iterable[str]) -> Iterator[tuple[str, int | None]]:
    """Ask git for blobs, some ahead, and give each with its size in bytes, None where the clone does not have it.

    Where git was asked for contents, they must be read before the next size is.
    """
    asked, waiting = iter(blobs), deque[str]()
    while True:
        more = list(islice(asked, _AT_ONCE - len(waiting)))
        if more:
            stream.send("".join(f"{name}\n" for name in more).encode())
        waiting.extend(more)
        if not waiting:
            return
        words = (stream.until(b"\n") or b"").split(b" ")
        if len(words) != 3 and words[-1] != b"missing":
            raise BackendFailed("Git does not answer as expected in the local clone.", hint="It is tried again.")
        yield waiting.popleft(), None if words[-1] == b"missing" else int(words[2])


def _trailer(key: str) -> str:
    return f"%(trailers:key={key},valueonly,separator=%x2C)"


def _form() -> tuple[str, ...]:
    """Give the options by which git tells of a commit: its name, then the texts of ``_change``, with NUL between."""
    fields = "%x00".join(("%H", "%ct", *map(_trailer, TRAILERS), "%s"))
    return (f"--format=tformat:{fields}", "--no-show-signature", "--encoding=UTF-8")


def _change(commit: str, texts: Sequence[str], files: Sequence[ChangedFile]) -> Change:
    trailers = {key: text.strip() for key, text in zip(TRAILERS, texts[1:-1], strict=True) if text.strip()}
    return Change(commit, _instant(texts[0]), texts[-1], trailers, files)


def _changes(stream: GitStream) -> Iterator[Change]:
    commit = stream.until(b"\0")
    if commit is None:
        _require_end(stream)
    while commit is not None:
        texts = [_part(stream).decode("utf-8", "replace") for _ in range(len(TRAILERS) + 2)]
        files = []
        # A commit's name never begins with a colon, and what was changed always does.
        while (word := stream.until(b"\0")) is not None and word.lstrip(b"\n").startswith(b":"):
            path = os.fsdecode(_part(stream))
            if file := _changed_file(word.decode("ascii").lstrip("\n"), path):
                files.append(file)
        if word is None:
            # Where git did not get to the end, this commit may have more files than those.
            _require_end(stream)
        yield _change(commit.decode("ascii"), texts, files)
        commit = word


def _part(stream: GitStream) -> bytes:
    part = stream.until(b"\0")
    if part is None:
        raise _unreadable()
    return part


def _require_end(stream: GitStream) -> None:
    if not stream.ends_well():
        raise _unreadable()


def _unreadable() -> BackendFailed:
    return BackendFailed("The history of the local clone cannot be read.", cause="data_unavailable")


def _changed_file(raw: str, path: str) -> ChangedFile | None:
    """Read one line of git's raw form; None for what is no file."""
    _, mode, before, after, _ = raw.split(" ")
    if mode == _SUBMODULE:
        return None
    return ChangedFile(path, after, before if before.strip("0") else None)


def _instant(seconds: str) -> datetime:
    # Whoever commits chooses the time, which may lie outside the calendar.
    number = min(max(int(seconds or 0), 0), int(_LATEST.timestamp()))
    return datetime.fromtimestamp(number, UTC)
