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
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from app.errors import BackendFailed
from app.models.run import Cause
from app.services.dated_names import order_key
from app.spike import Status, Verdict, judge, no_metric

PATTERN = "control-*.csv"
MOST_FILES = 1000
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


@dataclass(frozen=True)
class ControlSeries:
    """The metrics up to the one that this run wrote, oldest first.

    ``snapshots`` counts the files; ``values`` has the last 1,000 of them. ``current_text`` is the newest cell as its
    file has it, None where this run wrote none; ``current_reason`` says why it has no value.
    """

    snapshots: int
    values: list[float | None]
    current_text: str | None
    current_reason: str = ""


def read_control_metric(path: Path) -> Metric:
    """Read the number in the first cell of a control file, or in the next line where the first is a header."""
    try:
        head = _head(path)
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


def control_series(folder: Path, written: Collection[str]) -> ControlSeries:
    """Read the series that ends with what this run wrote.

    ``written`` has the paths, relative to ``folder``, that the run added or changed. Of several control files among
    them the newest by name counts; files that are ordered behind it are left out.

    Raises:
        BackendFailed: with cause ``data_unavailable``: the folder cannot be read.
    """
    names = sorted(_control_files(folder), key=order_key)
    current = max(set(written).intersection(names), key=order_key, default=None)
    if current is None:
        return ControlSeries(len(names), [], None)
    names = names[: names.index(current) + 1]
    metrics = [read_control_metric(folder / name) for name in names[-MOST_FILES:]]
    return ControlSeries(len(names), [metric.value for metric in metrics], metrics[-1].text, metrics[-1].reason)


def judge_series(series: ControlSeries, method: str, parameters: Mapping[str, float] | None = None) -> Verdict:
    """Judge what this run wrote by the files before it.

    Raises:
        ValueError: the method or a parameter is not what ``app.spike`` knows.
    """
    if series.current_text is None:
        return no_metric(series.snapshots, method)
    verdict = replace(judge(series.values, method, parameters), snapshots=series.snapshots)
    if verdict.status is Status.BAD_METRIC:
        return replace(verdict, sentence=f"The newest control file {series.current_reason}.")
    return verdict


def is_control_file(path: str) -> bool:
    """Tell whether a path, relative to the work tree, is that of a control file."""
    return "/" not in path and fnmatchcase(path, PATTERN)


def _control_files(folder: Path) -> list[str]:
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


def _head(path: Path) -> bytes | None:
    descriptor = os.open(path, _FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return os.read(descriptor, HEAD_BYTES)
    finally:
        os.close(descriptor)


def _first_cell(line: str) -> str:
    match = _CELL.match(line)
    assert match is not None
    return next(group for group in match.groups() if group is not None).strip()
