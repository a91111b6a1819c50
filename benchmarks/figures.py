"""How figures are summed up and shown."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles

_WIDTH = 44


def heading(text: str) -> None:
    """Begin the figures of one measurement."""
    print(f"\n== {text}", flush=True)


def line(name: str, *values: str) -> None:
    """Show one row: what it is, then its figures."""
    print(f"{name:<{_WIDTH}}" + "".join(f"{value:>12}" for value in values), flush=True)


def spread_heading() -> None:
    """Show what the columns of ``spread`` are."""
    line("milliseconds", "median", "p10", "p90")


def spread(name: str, seconds: Sequence[float]) -> float:
    """Show median, 10th and 90th percentile in milliseconds, and give the median in seconds."""
    tenths = quantiles(seconds, n=10, method="inclusive")
    line(name, *(ms(value) for value in (median(seconds), tenths[0], tenths[-1])))
    return median(seconds)


def percentile(seconds: Sequence[float], percent: int) -> float:
    """Give a percentile, 1 to 99, in seconds."""
    return quantiles(seconds, n=100, method="inclusive")[percent - 1]


def ms(seconds: float) -> str:
    """Give seconds as milliseconds with one decimal."""
    return f"{seconds * 1000:.1f}"


def ratio(value: float) -> str:
    """Give a ratio with two decimals."""
    return f"{value:.2f}"
