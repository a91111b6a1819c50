"""Show what was measured of spike detectors: all together, then by length of history and by kind of event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.figures import heading
from benchmarks.spike_events import HISTORIES, KINDS
from benchmarks.spike_figures import Figures, Share

_NAME = 16
_CELL = 14


@dataclass(frozen=True)
class Row:
    """A detector's figures at its own threshold and where false alarms are rare, and its milliseconds a decision."""

    name: str
    setting: str
    own: Figures
    rare: Figures
    milliseconds: float


def show(rows: Sequence[Row], *, is_detailed: bool = False) -> None:
    """Print the tables, the best at the common rate of false alarms first; in detail, also those by kind of event."""
    ranked = sorted(rows, key=lambda row: -row.rare.f1)
    heading("at each detector's own threshold")
    _show_figures(ranked, [row.own for row in ranked])
    heading("at the threshold of each at which 2 of 1,000 decisions are false alarms")
    _show_figures(ranked, [row.rare for row in ranked])
    _show_by_history(ranked, [row.own for row in ranked])
    if is_detailed:
        _show_by_kind(ranked, [row.own for row in ranked])
    heading("how each was set")
    for row in ranked:
        print(f"{row.name:<{_NAME}}{row.setting}")


def _show_figures(rows: Sequence[Row], figures: Sequence[Figures]) -> None:
    _line("", "threshold", "false/1000", "found", "precision", "F1", "echo", "ms")
    for row, one in zip(rows, figures, strict=True):
        name, milliseconds = row.name, f"{row.milliseconds:.3f}"
        shares = (one.found.value, one.precision, one.f1, one.echo)
        _line(name, f"{one.threshold:.4g}", _thousandth(one.false), *map(_share, shares), milliseconds)


def _show_by_history(rows: Sequence[Row], figures: Sequence[Figures]) -> None:
    lengths = [str(history) for history in HISTORIES]
    heading("at each detector's own threshold: found / false alarms in 1,000, by length of history")
    _line("", *lengths)
    for row, one in zip(rows, figures, strict=True):
        found, false = one.found_by_history, one.false_by_history
        _line(row.name, *(f"{found[length].value:.2f} /{_tenth(false[length]):>6}" for length in HISTORIES))


def _show_by_kind(rows: Sequence[Row], figures: Sequence[Figures]) -> None:
    heading("at each detector's own threshold: detectable events found, by kind")
    _line("", *KINDS)
    for row, one in zip(rows, figures, strict=True):
        _line(row.name, *(_share(one.found_by_kind[kind].value) for kind in KINDS))


def _line(name: str, *cells: str) -> None:
    print(f"{name:<{_NAME}}" + "".join(f"{cell:>{_CELL}}" for cell in cells), flush=True)


def _share(value: float) -> str:
    return f"{value:.3f}"


def _thousandth(share: Share) -> str:
    return f"{1000 * share.value:.2f}"


def _tenth(share: Share) -> str:
    return f"{1000 * share.value:.1f}"
