"""How good the spike detector is beside others: ``python -m benchmarks spike [--series FILE] [--methods a,b]``.

All detectors judge the same numbers in the same run: series that a seeded generator makes, or those of a file, with
events put into them.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.figures import heading
from benchmarks.spike_classics import CLASSICS
from benchmarks.spike_detectors import Detector, score_streams
from benchmarks.spike_events import HISTORIES, JUDGED, REPETITIONS, Stream, streams
from benchmarks.spike_figures import count, rare_alarm_threshold
from benchmarks.spike_generator import generated
from benchmarks.spike_peers import PEERS
from benchmarks.spike_product import product_method
from benchmarks.spike_series import Series, load
from benchmarks.spike_table import Row, show

PRODUCT = (
    Detector("adaptive", product_method("adaptive"), 1.0, "the product's default"),
    Detector("rolling", product_method("rolling"), 1.0, "the original rule: the mean of the last two, 6 %"),
    Detector("zscore", product_method("zscore"), 1.0, "mean and deviation of the whole past; 3"),
    Detector("zscore_14", product_method("zscore", {"window": 14}), 1.0, "mean and deviation of the last 14; 3"),
    Detector("mad", product_method("mad"), 1.0, "median and MAD of the last 30; 3.5"),
)
NAMES = tuple(one.name for one in (*PRODUCT, *CLASSICS, *PEERS))
_QUICK = 5
"""With --quick, every fifth series is judged, and once for each length of history."""

_streams: list[Stream] = []


def main(arguments: Sequence[str]) -> int:
    """Measure, show, and give the exit status."""
    options = _parser().parse_args(arguments)
    chosen = options.methods.split(",") if options.methods else NAMES
    if unknown := set(chosen) - set(NAMES):
        print(f"There is no detector {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    try:
        series = load(options.series) if options.series else generated()
    except (OSError, ValueError, KeyError) as error:
        print(f"The series in '{options.series}' cannot be read: {error}", file=sys.stderr)
        return 1
    _streams.extend(_quick(series) if options.quick else streams(series))
    _describe(options.series, len(series))
    rows = _measured([name for name in NAMES if name in chosen and _is_there(name)], options.jobs)
    show(rows, is_detailed=options.detail)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks spike", description="Compare spike detectors.")
    parser.add_argument("--series", type=Path, metavar="FILE", help="judge these series: JSON lines with id, freq, y")
    parser.add_argument("--quick", action="store_true", help="judge a fifth of the series, and each only once")
    parser.add_argument("--detail", action="store_true", help="also show what was found by kind of event")
    parser.add_argument("--methods", metavar="A,B", help=f"only these of: {', '.join(NAMES)}")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="measure so many detectors at once")
    return parser


def _quick(series: Sequence[Series]) -> Iterator[Stream]:
    return streams(series[::_QUICK], repetitions=1)


def _describe(file: Path | None, count_of_series: int) -> None:
    events = [stream.event for stream in _streams if stream.event]
    kinds = Counter(event.kind for event in events)
    lengths = Counter(stream.history for stream in _streams)
    heading(f"spike detectors on {count_of_series} series {f'of {file.name}' if file else 'from the generator'}")
    print(f"streams: {len(_streams)}, with {JUDGED} judged numbers each; up to {REPETITIONS} a series and length")
    print("by length of history: " + ", ".join(f"{length}: {lengths[length]}" for length in HISTORIES))
    print(f"events: {len(events)}, of which detectable: {sum(event.is_detectable for event in events)}")
    print("by kind: " + ", ".join(f"{kind}: {number}" for kind, number in sorted(kinds.items())))


def _is_there(name: str) -> bool:
    missing = next((peer for peer in PEERS if peer.name == name and not peer.is_installed), None)
    if missing:
        print(f"left out: {name}, because {missing.package} is not installed; the extra 'benchmark' brings it")
    return missing is None


def _measured(names: Sequence[str], jobs: int) -> list[Row]:
    if jobs <= 1:
        return [_row(name) for name in names]
    # The streams are built once: a forked process has them too.
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        return list(pool.map(_row, names))


def _row(name: str) -> Row:
    detector = _detector(name)
    with warnings.catch_warnings():
        # Other packages warn of numbers that do not vary; the figures show what they make of them.
        warnings.simplefilter("ignore")
        scored, milliseconds = score_streams(detector, _streams)
    own, rare = count(scored, detector.threshold), count(scored, rare_alarm_threshold(scored))
    print(f"measured: {name}", file=sys.stderr, flush=True)
    return Row(name, detector.setting, own, rare, milliseconds)


def _detector(name: str) -> Detector:
    for detector in (*PRODUCT, *CLASSICS):
        if detector.name == name:
            return detector
    return next(peer for peer in PEERS if peer.name == name).detector()
