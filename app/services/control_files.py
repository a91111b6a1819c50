"""The control metrics that a tool left in its data folder: one file a run, its first cell the number.

The files come from a container, so nothing in them is taken on trust: only their head is read, links are not followed,
and whatever is not a plain finite number has the value None and a reason.
"""

from __future__ import annotations

import errno
import math
import os
import re
import stat
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from app.errors import BackendFailed
from app.models.run import Cause
from app.services.dated_names import order_key

PATTERN = "control-*.csv"
HEAD_BYTES = 2**16
TEXT_LENGTH = 100
"""A longer first cell is cut for display and is no number."""

# A FIFO without a writer would block the open for ever; a link could name any file of the host.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LINE_END = re.compile(r"[\r\n]+")
_CELL = re.compile(r"""[ ]*(?:"([^"]*)"|'([^']*)'|([^,;\t]*))""")
_CELL_ENDS = (b",", b";", b"\t", b"\n", b"\r")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)


@dataclass(frozen=True)
class Metric:
    """The first cell as the file has it, and its value; ``reason`` says why the value is None."""

    text: str
    value: float | None
    reason: str = ""


def read_control_metric(path: Path) -> Metric:
    """Read the number in the first cell of a control file, or in the next line where the first is a header."""
    try:
        head = file_head(path)
    except OSError as error:
        return Metric("", None, "is a link" if error.errno == errno.ELOOP else f"cannot be read: {error.strerror}")
    return Metric("", None, "is not a regular file") if head is None else metric_of(head)


def metric_of(head: bytes) -> Metric:
    """Give the metric of a control file that begins with ``head``, its first 65,536 bytes at most."""
    if len(head) >= HEAD_BYTES:
        # The last cell of a head may be a part of a cell; half a number would be a wrong number.
        head = head[: max(head.rfind(end) for end in _CELL_ENDS) + 1]
    lines = [line for line in _LINE_END.split(head.decode("utf-8-sig", "replace")) if line.strip()]
    cells = [_first_cell(line) for line in lines[:2]]
    if not cells:
        return Metric("", None, "is empty")
    number = next((cell for cell in cells if _NUMBER.fullmatch(cell) or _NOT_FINITE.fullmatch(cell)), None)
    if number is None or len(number) > TEXT_LENGTH:
        return Metric(cells[-1][:TEXT_LENGTH], None, "does not begin with a number")
    if not math.isfinite(value := float(number)):
        return Metric(number, None, "does not begin with a finite number")
    return Metric(number, value)


def newest_control_file(folder: Path, written: Collection[str]) -> str | None:
    """Give the newest by name of the control files among ``written``, paths relative to ``folder``; None: none.

    Raises:
        BackendFailed: with cause ``data_unavailable``: the folder cannot be read.
    """
    return max(set(written).intersection(control_files(folder)), key=order_key, default=None)


def is_control_file(path: str) -> bool:
    """Tell whether a path, relative to the work tree, is that of a control file."""
    return "/" not in path and fnmatchcase(path, PATTERN)


def control_files(folder: Path) -> list[str]:
    """Give the names of all control files at the top of ``folder``, in no order.

    Raises:
        BackendFailed: with cause ``data_unavailable``: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return [
                entry.name
                for entry in entries
                if is_control_file(entry.name) and not entry.is_dir(follow_symlinks=False)
            ]
    except OSError as error:
        raise BackendFailed(
            f"The data directory cannot be read: {error.strerror}.",
            cause=Cause.DATA_UNAVAILABLE,
            hint="Check that the clone still exists and belongs to the agent's user.",
        ) from error


def file_head(path: Path, most_bytes: int = HEAD_BYTES) -> bytes | None:
    """Give the beginning of a file; None where it is no regular file.

    Raises:
        OSError: it is a link, or cannot be read.
    """
    descriptor = os.open(path, _FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return os.read(descriptor, most_bytes)
    finally:
        os.close(descriptor)


def _first_cell(line: str) -> str:
    match = _CELL.match(line)
    assert match is not None
    return next(group for group in match.groups() if group is not None).strip()
