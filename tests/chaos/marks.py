"""What tools do, seen by the kernel: each execution makes files whose names say everything.

This is evidence that no part of the product can change: a name is read from the kernel's queue when the file is made,
whatever becomes of the file. One execution makes one ``begin`` with a number from the kernel's random source, and one
``end`` with the same number if it comes to its end.
"""

from __future__ import annotations

import ctypes
import os
import select
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_IN_CREATE = 0x100
_IN_Q_OVERFLOW = 0x4000
_HEADER = struct.Struct("iIII")
_RESCAN_SECONDS = 1.0
_BUFFER_BYTES = 1 << 20


@dataclass
class Execution:
    """One execution of a tool: when it began and came to its end, by this machine's monotonic clock in seconds."""

    key: str
    run_id: int
    container: str
    token: str
    tool: str
    began: float
    ended: float | None = None


class Marks:
    """Watches folders for the marks of tools."""

    def __init__(self) -> None:
        self.executions: dict[str, Execution] = {}
        self.has_overflowed = False
        self._file = _LIBC.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        self._folders: dict[int, Path] = {}
        self._watched: dict[Path, tuple[int, int]] = {}
        self._wanted: list[Path] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, name="marks", daemon=True).start()

    def watch(self, folder: Path) -> None:
        """Watch a folder from now on, also when it is made later or replaced."""
        self._wanted.append(folder)

    def all(self) -> list[Execution]:
        """Give all executions in the order of their beginnings."""
        with self._lock:
            return sorted(self.executions.values(), key=lambda execution: execution.began)

    def _watch(self) -> None:
        scanned_at = 0.0
        while True:
            if time.monotonic() - scanned_at > _RESCAN_SECONDS:
                scanned_at = time.monotonic()
                self._look_for_folders()
            if select.select([self._file], [], [], _RESCAN_SECONDS)[0]:
                self._read()

    def _look_for_folders(self) -> None:
        for folder in self._wanted:
            try:
                found = folder.stat()
            except OSError:
                continue
            identity = (found.st_dev, found.st_ino)
            if self._watched.get(folder) == identity:
                continue
            self._watched[folder] = identity
            number = _LIBC.inotify_add_watch(self._file, os.fsencode(folder), _IN_CREATE)
            self._folders[number] = folder
            for entry in os.scandir(folder):
                self._note(entry.name, folder.name)

    def _read(self) -> None:
        data, place = os.read(self._file, _BUFFER_BYTES), 0
        while place < len(data):
            number, mask, _, length = _HEADER.unpack_from(data, place)
            place += _HEADER.size
            self.has_overflowed |= bool(mask & _IN_Q_OVERFLOW)
            name = data[place : place + length].rstrip(b"\0").decode(errors="replace")
            place += length
            if number in self._folders:
                self._note(name, self._folders[number].name)

    def _note(self, name: str, tool: str) -> None:
        words = name.split(",")
        if len(words) != 5 or words[0] not in ("begin", "end") or not words[1].isdigit():
            return
        kind, run_id, container, token, key = words
        now = time.monotonic()
        with self._lock:
            # The product may write a file again that it had put aside, so a mark counts when it is seen first.
            found = self.executions.setdefault(key, Execution(key, int(run_id), container, token, tool, now))
            if kind == "end" and found.ended is None:
                found.ended = now
