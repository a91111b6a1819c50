"""When a tool's incidents open: what ``metrics.incidents`` of its entry says, and the rules for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from app.services.metric_choices import INCIDENTS

_LIMITS = {"points": (1, 100), "of": (1, 100), "minutes": (0, 1440), "grace_minutes": (1, 525_600)}


@dataclass(frozen=True)
class IncidentOptions:
    """An incident of data opens when ``points`` of the last ``of`` judged runs were anomalous, for ``minutes`` already.

    ``grace_minutes`` is how long after it was due a tool may be silent; None: see ``app.services.silence``.
    """

    points: int = 1
    of: int = 1
    minutes: int = 0
    grace_minutes: int | None = None


def incident_options(metrics: Mapping[str, Any]) -> IncidentOptions:
    """Give the options in the ``metrics`` of a tool's entry; what breaks a rule there counts as left out."""
    given = metrics.get(INCIDENTS)
    if not isinstance(given, Mapping) or any(broken_incident_rules(given)):
        return IncidentOptions()
    return IncidentOptions(**_with_window(given))


def broken_incident_rules(given: Any) -> Iterable[str]:
    """Give the rules that a value of ``metrics.incidents`` breaks."""
    if not isinstance(given, Mapping):
        yield f"'{INCIDENTS}' must be an object with some of: {', '.join(_LIMITS)}."
        return
    known = {option.name for option in fields(IncidentOptions)}
    for name, value in given.items():
        if name not in known:
            yield f"'{INCIDENTS}' has no option '{str(name)[:64]}'; there is: {', '.join(_LIMITS)}."
        elif not isinstance(value, int) or isinstance(value, bool) or not _LIMITS[name][0] <= value <= _LIMITS[name][1]:
            lowest, highest = _LIMITS[name]
            yield f"'{INCIDENTS}': '{name}' must be a whole number, {lowest} to {highest}."
            return
    window = _with_window(given)
    if all(isinstance(window.get(name), int) for name in ("points", "of")) and window["points"] > window["of"]:
        yield f"'{INCIDENTS}': 'points' must be at most 'of'."


def _with_window(given: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options with 'of' as large as 'points' where only that was given."""
    return {"of": given.get("points", 1), **given}
