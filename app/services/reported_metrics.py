"""What a run reports: the number of its control file, those of its ``metrics.json``, and what was measured of it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from app.models.metric import CONTROL, PointSource
from app.services.control_files import file_head, newest_control_file, read_control_metric
from app.services.dated_names import order_key
from app.services.metric_choices import INCIDENTS, MEASURED
from app.services.sort_keys import key_of_name, key_of_time, printable, time_of_name

METRICS_FILE = "metrics.json"
METRICS_BYTES = 2**16
MOST_METRICS = 50
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
Number = tuple[float | None, str, str]
"""A value, its text as it was written, and why the value is None."""
_RESERVED = frozenset({CONTROL, INCIDENTS, *MEASURED})


@dataclass(frozen=True)
class Reported:
    """A number that is to be judged, and where it stands in its series; ``reason`` says why ``value`` is None."""

    label: str
    sort_key: str
    measured_at: datetime
    value: float | None
    text: str = ""
    reason: str = ""
    source: str = PointSource.RUN
    run_id: int | None = None


@dataclass
class Report:
    """All that one run reports, by metric, and warnings about what cannot be used."""

    metrics: dict[str, Reported] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    has_metrics_file: bool = False


def report_of_run(
    folder: Path,
    written: Collection[str],
    measured: Mapping[str, float],
    run_id: int,
    at: datetime,
    began_at: datetime | None = None,
) -> Report:
    """Read what the run with ``run_id``, which began and ended then, wrote into ``folder``.

    ``written`` has the paths, relative to ``folder``, that the run added or changed. A ``metrics.json`` counts as
    written also where the run wrote the same numbers again, which only the time of the file tells. No other file is
    read.

    Raises:
        BackendFailed: with cause ``data_unavailable``: the folder cannot be read.
    """
    is_written = METRICS_FILE in written or _is_written_since(folder / METRICS_FILE, began_at)
    report = Report(has_metrics_file=is_written)
    name = newest_control_file(folder, written)
    if name is not None:
        report.metrics[CONTROL] = _control_of_run(folder, name, run_id, at)
    numbers: dict[str, Number] = {name: (value, str(value), "") for name, value in measured.items() if name in MEASURED}
    if report.has_metrics_file:
        found, warnings = read_metrics(_content(folder / METRICS_FILE))
        numbers |= found
        report.warnings += warnings
    key = key_of_time(at, run_id)
    for metric, (value, text, reason) in numbers.items():
        report.metrics[metric] = Reported(f"run-{run_id}", key, at, value, text, reason, run_id=run_id)
    return report


def _control_of_run(folder: Path, name: str, run_id: int, at: datetime) -> Reported:
    """Read the control file of a run; one whose name has no number is written anew by each run, and told by the run."""
    point = control_point(folder, name, at, PointSource.RUN, run_id)
    if is_numbered(name):
        return point
    return replace(point, label=f"run-{run_id}", sort_key=key_of_time(at, run_id))


def is_numbered(name: str) -> bool:
    """Tell whether a control file has a place in a series by its name."""
    return bool(order_key(name)[0])


def control_point(folder: Path, name: str, at: datetime, source: str, run_id: int | None = None) -> Reported:
    """Read a control file. Its time is the day in its name, else ``at``."""
    metric = read_control_metric(folder / name)
    measured_at = time_of_name(name) or at
    key = key_of_name(name)
    return Reported(printable(name), key, measured_at, metric.value, metric.text, metric.reason, source, run_id)


def read_metrics(content: bytes | None) -> tuple[dict[str, Number], list[str]]:
    """Read the object of a ``metrics.json``: its numbers by name, and warnings.

    None stands for a file that cannot be read. What is wrong is told and the rest is used.
    """
    if content is None or len(content) > METRICS_BYTES:
        return {}, [f"{METRICS_FILE} was not read: it must be a regular file of at most {METRICS_BYTES} bytes."]
    try:
        # Every number as its text first: an integer of ten thousand digits is no reason to fail.
        given = json.loads(content, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
    except (ValueError, RecursionError):
        return {}, [f"{METRICS_FILE} was not read: it is no JSON."]
    if not isinstance(given, dict):
        return {}, [f"{METRICS_FILE} was not read: it must be an object of names and numbers."]
    usable = {name: number for name, number in given.items() if _NAME.fullmatch(name) and name not in _RESERVED}
    warnings = []
    if len(usable) < len(given):
        warnings.append(
            f"{METRICS_FILE} has names that were left out: they must be of letters, digits, '.', '_' and '-', at most "
            f"63 characters, and none of those that the orchestrator uses itself."
        )
    if len(usable) > MOST_METRICS:
        warnings.append(f"{METRICS_FILE} has more than {MOST_METRICS} metrics; those behind were left out.")
    return {name: _number(usable[name]) for name in list(usable)[:MOST_METRICS]}, warnings


class _Number(str):
    """A number of a JSON text, as it was written."""

    __slots__ = ()


def _number(given: object) -> Number:
    if not isinstance(given, _Number):
        return None, "", "is not a number"
    value = float(given)
    if not math.isfinite(value):
        return None, given[:100], "is not a finite number"
    return value, given[:100], ""


def _is_written_since(path: Path, began_at: datetime | None) -> bool:
    try:
        return began_at is not None and path.lstat().st_mtime >= began_at.timestamp()
    except OSError:
        return False


def _content(path: Path) -> bytes | None:
    try:
        return file_head(path, METRICS_BYTES + 1)
    except OSError:
        return None
