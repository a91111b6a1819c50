"""Incidents of silence: a tool that should have been heard of by its schedule, and was not.

A tool is late when the first instant at which one of its jobs was due after its last good run lies further back than
the grace. It counts from the last change of a job, the end of its last pause, and what retention keeps, where those
are later. An agent gives every tool the grace anew when its term begins: while none was there, nothing could run.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any

from app.clock import utc_now
from app.models.metric import Incident, IncidentEnd, IncidentKind
from app.repositories.agents import AgentRepository
from app.repositories.database import Session
from app.repositories.incidents import IncidentRepository
from app.repositories.silence import ActiveJob, GoodRun, SilenceRepository
from app.services.agent_context import AgentContext
from app.services.grace import Grace, Graces
from app.services.incidents import MOST_JOBS, end_incident, hold, tell_opening, tell_unmuted
from app.services.occurrences import Schedule, next_after
from app.services.turns import offset_of
from app.spike import Status

log = logging.getLogger(__name__)
_MOST_AT_ONCE = 200
"""How many tools are told of in one look; the others follow with the next."""
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Expected:
    """When a tool was due first after its last good run, and how long the period is that began then."""

    due_at: datetime
    fires_at: datetime
    period: timedelta


class SilenceWatch:
    """Looks, in one term of office, whether every scheduled tool is heard of."""

    def __init__(self, context: AgentContext) -> None:
        self._context = context
        self._began_at = utc_now()

    def look(self) -> None:
        """Open and close incidents of silence, and tell of incidents whose tool is not muted any more.

        Each is a transaction of its own, in which everything is read again: killed anywhere, the next look goes on.
        """
        now = utc_now()
        with self._context.database.transaction() as session:
            incidents = IncidentRepository(session)
            silent, untold = incidents.all_open(IncidentKind.SILENCE), incidents.untold()
            jobs = _by_tool(SilenceRepository(session).active_jobs(now))
            good = SilenceRepository(session).last_good({*jobs, *(incident.tool for incident in silent)})
        for incident in silent:
            last = good.get(incident.tool)
            if incident.tool not in jobs or (last is not None and last.id != incident.last_run):
                self._close(incident.tool, now)
        for incident in untold:
            with self._context.database.transaction() as session:
                self._hold(session, incident.tool)
                tell_unmuted(session, incident.tool, now)
        known = {incident.tool for incident in silent}
        for tool, grace in islice(self._late(jobs, good, known, now), _MOST_AT_ONCE):
            self._open_if_late(tool, grace, now)

    def _late(
        self,
        jobs: Mapping[str, Sequence[ActiveJob]],
        good: Mapping[str, GoodRun],
        known: Collection[str],
        now: datetime,
    ) -> Iterator[tuple[str, Grace]]:
        """Give the tools that are late with their grace, but for those that are known to be.

        Only what was due at all costs anything.
        """
        graces = Graces(self._context)
        for tool in jobs.keys() - known:
            expected = self._expected(jobs[tool], good.get(tool), {}, now)
            if expected is None or max(expected.fires_at, self._began_at) >= now:
                continue
            grace = graces.of(tool, good[tool].id if tool in good else None)
            if self._is_late(expected, grace, now):
                yield tool, grace

    def _is_late(self, expected: Expected, grace: Grace, now: datetime) -> bool:
        return now >= max(expected.fires_at, self._began_at) + grace.of(expected.period)

    def _expected(
        self, jobs: Sequence[ActiveJob], last: GoodRun | None, paused: Mapping[str, datetime], now: datetime
    ) -> Expected | None:
        days = self._context.settings.retention.runs_days
        # A good run that is older than this has been removed, and says nothing any more.
        known_since = now - timedelta(days=days) if days else _EVER
        heard_at = max(last.ended_at if last else _EVER, known_since)
        found = [_due_after(job, max(heard_at, job.since, paused.get(job.id, _EVER))) for job in jobs]
        return min((one for one in found if one is not None), key=lambda one: one.fires_at, default=None)

    def _open_if_late(self, tool: str, grace: Grace, now: datetime) -> None:
        with self._context.database.transaction() as session:
            self._hold(session, tool)
            silence = SilenceRepository(session)
            jobs, last = silence.active_jobs(now, tool), silence.last_good([tool]).get(tool)
            paused = silence.last_paused([job.id for job in jobs], last.ended_at if last else _EVER)
            expected = self._expected(jobs, last, paused, now)
            if expected is None or not self._is_late(expected, grace, now):
                return
            fates = silence.fates([job.id for job in jobs], expected.due_at)
            _open(session, tool, last, expected, fates, [job.id for job in jobs], now)

    def _close(self, tool: str, now: datetime) -> None:
        with self._context.database.transaction() as session:
            self._hold(session, tool)
            incident = IncidentRepository(session).find_open(tool, IncidentKind.SILENCE)
            silence = SilenceRepository(session)
            last = silence.last_good([tool]).get(tool)
            if incident is None:
                return
            if last is not None and last.id != incident.last_run:
                sentence = f"Heard of again: run {last.id} succeeded at {_shown(last.ended_at)}."
                end_incident(session, incident, IncidentEnd.HEARD, sentence, now, last.id)
            elif not silence.active_jobs(now, tool):
                sentence = "Not expected any more: no job of the tool is active."
                end_incident(session, incident, IncidentEnd.UNSCHEDULED, sentence, now)

    def _hold(self, session: Session, tool: str) -> None:
        AgentRepository(session).hold_term(self._context.node, self._context.epoch)
        hold(session, tool)


def _open(
    session: Session,
    tool: str,
    last: GoodRun | None,
    expected: Expected,
    fates: Mapping[str, int],
    jobs: Sequence[str],
    now: datetime,
) -> None:
    incident = Incident(
        tool=tool,
        kind=IncidentKind.SILENCE.value,
        status=Status.MISSING.value,
        metrics={},
        summary=silence_sentence(last, expected.due_at, fates),
        runs=0,
        opened_at=now,
        last_run=last.id if last else None,
    )
    opened = IncidentRepository(session).open(incident)
    if opened is not None:
        values: dict[str, Any] = {"status": Status.MISSING.value, "lastRun": last.id if last else None}
        values["firings"] = dict(fates)
        values |= {"lastAt": last.ended_at.isoformat() if last else None, "dueAt": expected.due_at.isoformat()}
        values["jobs"] = jobs[:MOST_JOBS]
        tell_opening(session, opened, values, now)


def silence_sentence(last: GoodRun | None, due_at: datetime, fates: Mapping[str, int]) -> str:
    """Say which run was the last good one, when the next was due, and what became of the instants since."""
    known = f"The last good run was {last.id}, at {_shown(last.ended_at)}" if last else "There was no good run yet"
    counted = ", ".join(f"{count} {fate}" for fate, count in fates.items()) or "nothing has fired"
    return f"{known}; {'the next' if last else 'the first'} was due at {_shown(due_at)}. Since then: {counted}."


def _by_tool(jobs: Sequence[ActiveJob]) -> dict[str, list[ActiveJob]]:
    found: dict[str, list[ActiveJob]] = defaultdict(list)
    for job in jobs:
        found[job.tool].append(job)
    return dict(found)


def _due_after(job: ActiveJob, heard_at: datetime) -> Expected | None:
    due_at, following = _instants(job.trigger, job.zone, heard_at)
    if due_at is None:
        return None
    return Expected(due_at, due_at + offset_of(job.id, job.jitter_seconds), (following or due_at) - due_at)


# What is heard of a tool changes with its runs only, so most looks compute nothing.
@lru_cache(maxsize=32_768)
def _instants(trigger: str, zone: str, heard_at: datetime) -> tuple[datetime | None, datetime | None]:
    try:
        due_at = next_after(Schedule(trigger, zone), heard_at)
        return due_at, next_after(Schedule(trigger, zone), due_at) if due_at else None
    except Exception:
        log.exception("The schedule '%s' in %s cannot be used; its job is paused when its turn comes.", trigger, zone)
        return None, None


def _shown(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
