"""Detectors of other packages, each set as its documentation has it. Whoever is not installed is named as left out.

They are loaded by name when their turn comes, because none of them is needed to use or to test the product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.spike_detectors import Begin, Detector, Step, from_past
from benchmarks.spike_series import Values

_FEWEST = 3
_SEED = 1
_LAGS = 3
"""pyod sees each number together with the two before it."""
_TREES_WINDOW = 250
_WINDOW = 60
"""ruptures looks for breaks among so many numbers before the newest."""
_NEWEST = 3
"""A break that begins with one of so many numbers, the newest among them, is a new one."""


@dataclass(frozen=True)
class Peer:
    """A detector of ``package``; ``make`` is called only where that is installed."""

    name: str
    package: str
    make: Callable[[], Begin]
    threshold: float
    setting: str

    @property
    def is_installed(self) -> bool:
        """Tell whether the package can be loaded."""
        return find_spec(self.package) is not None

    def detector(self) -> Detector:
        """Load the package and give the detector."""
        return Detector(self.name, self.make(), self.threshold, f"{self.package}: {self.setting}")


def _river_of_numbers(name: str, **options: Any) -> Begin:
    """Score a number by what was learned of those before it, then learn it."""
    anomaly = import_module("river.anomaly")

    def begin(history: Sequence[float], _: bool) -> Step:
        model = getattr(anomaly, name)(**options)
        for value in history:
            model.learn_one(None, value)

        def step(value: float) -> float:
            score = float(model.score_one(None, value))
            model.learn_one(None, value)
            return score

        return step

    return begin


def _river_trees() -> Begin:
    """Half-space trees on the number and its change, both scaled to 0 to 1 by what came before."""
    anomaly, preprocessing = import_module("river.anomaly"), import_module("river.preprocessing")

    def begin(history: Sequence[float], _: bool) -> Step:
        window = max(_FEWEST, min(_TREES_WINDOW, len(history) // 2))
        model = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(window_size=window, seed=_SEED)
        last = history[0]

        def step(value: float) -> float:
            nonlocal last
            features = {"value": value, "change": value - last}
            last = value
            score = float(model.score_one(features))
            model.learn_one(features)
            return score

        for value in history:
            step(value)
        return step

    return begin


def _pyod(module: str, name: str, **options: Any) -> Begin:
    """Fit on the history in windows of three standardised numbers; give the score above the detector's own limit.

    The limit is what the detector learns itself (``contamination`` at its default); the unit is the deviation of the
    scores of the history. It is fitted when the first number comes, and serves for all that come after one history.
    """
    make = getattr(import_module(module), name)

    def begin(history: Sequence[float], _: bool) -> Step:
        past, fitted = list(history), _Fitted(make(**options))

        def step(value: float) -> float:
            past.append(value)
            return fitted.score(past)

        return step

    return begin


class _Fitted:
    def __init__(self, model: Any) -> None:
        self._model = model
        self._center = self._scale = self._unit = 0.0

    def score(self, numbers: Sequence[float]) -> float:
        if not self._scale:
            self._fit(np.array(numbers[:-1]))
        window = (np.array([numbers[-_LAGS:]]) - self._center) / self._scale
        return 1.0 + float(self._model.decision_function(window)[0] - self._model.threshold_) / self._unit

    def _fit(self, past: Values) -> None:
        self._center, self._scale = float(past.mean()), float(past.std()) or 1.0
        windows = np.lib.stride_tricks.sliding_window_view((past - self._center) / self._scale, _LAGS)
        self._model.fit(windows)
        self._unit = float(np.std(self._model.decision_scores_)) or 1.0


def _ruptures() -> Begin:
    """Compare what a new break would gain with the penalty that its documentation gives for a break.

    The past is cut by KernelCPD first, so that only its last stretch counts; then the break goes where it gains most.
    """
    ruptures = import_module("ruptures")

    def score(past: Sequence[float], value: float, _: bool) -> float:
        if len(past) < 2 * _FEWEST:
            return 0.0
        before = np.array(past[-_WINDOW:])
        # The deviation of the changes does not know of levels; without changes, any other number is a break.
        deviation = float(np.median(np.abs(np.diff(before)))) * 1.4826 / math.sqrt(2) or float(before.std())
        if deviation == 0:
            return math.inf if value != before[-1] else 0.0
        penalty = 2 * deviation**2 * math.log(len(before) + 1)
        breaks = ruptures.KernelCPD(kernel="linear", min_size=2).fit(before[:, None]).predict(pen=penalty)
        stretch = np.append(before[breaks[-2] if len(breaks) > 1 else 0 :], value)
        cost = ruptures.costs.CostL2().fit(stretch[:, None])
        gains = (
            cost.error(0, len(stretch)) - cost.error(0, place) - cost.error(place, len(stretch))
            for place in range(max(1, len(stretch) - _NEWEST), len(stretch))
        )
        return float(max(gains)) / penalty

    return from_past(score)


def _statsmodels() -> Begin:
    """Compare with the forecast of a local level, whose variances are fitted to the history, in its own error."""
    api = import_module("statsmodels.api")

    def begin(history: Sequence[float], _: bool) -> Step:
        scale = float(np.abs(history).max()) or 1.0
        fitted = api.tsa.UnobservedComponents(np.array(history) / scale, "local level").fit(disp=0)

        def step(value: float) -> float:
            nonlocal fitted
            forecast = fitted.get_forecast(1)
            distance = abs(value / scale - float(forecast.predicted_mean[0]))
            error = float(forecast.se_mean[0])
            fitted = fitted.append([value / scale])
            return distance / error if error > 0 else math.inf if distance > 0 else 0.0

        return step

    return begin


PEERS = (
    Peer(
        "river_gaussian",
        "river",
        lambda: _river_of_numbers("GaussianScorer", grace_period=_FEWEST),
        0.9973,
        "GaussianScorer, judging from the fourth number on; the probability of 3 deviations",
    ),
    Peer(
        "river_sad",
        "river",
        lambda: _river_of_numbers("StandardAbsoluteDeviation"),
        3.0,
        "StandardAbsoluteDeviation; 3, the rule that it is named for",
    ),
    Peer(
        "river_trees",
        "river",
        _river_trees,
        0.95,
        "MinMaxScaler and HalfSpaceTrees on number and change, window half the history up to 250; 0.95",
    ),
    Peer(
        "pyod_ecod",
        "pyod",
        lambda: _pyod("pyod.models.ecod", "ECOD"),
        1.0,
        "ECOD on three lags, standardised; its own limit (contamination 0.1)",
    ),
    Peer(
        "pyod_iforest",
        "pyod",
        lambda: _pyod("pyod.models.iforest", "IForest", random_state=_SEED),
        1.0,
        "IForest on three lags, standardised; its own limit (contamination 0.1)",
    ),
    Peer(
        "ruptures",
        "ruptures",
        _ruptures,
        1.0,
        "a break within the last 3, after KernelCPD on the last 60; penalty 2 s² log n",
    ),
    Peer(
        "statsmodels",
        "statsmodels",
        _statsmodels,
        3.0,
        "local level (UnobservedComponents) fitted to each history; 3 errors of its forecast",
    ),
)
