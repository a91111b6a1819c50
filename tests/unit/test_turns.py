"""Jitter, outages and edits as arithmetic: whatever the times, nothing is lost, doubled or fired in the past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.models.job import FiringOutcome, Job, MisfirePolicy, OverlapPolicy
from app.services import job_edits
from app.services.occurrences import Schedule, due_between
from app.services.policies import MOST_RECORDED, ON_TIME, Fate, fates_of
from app.services.turns import next_turn, offset_of, pending_instant

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY_SECONDS = 86_400
NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,30}", fullmatch=True)
CRONTABS = st.sampled_from(["0 0 * * *", "30 2 * * 0", "0 */6 * * *", "*/20 * * * *", "15 * * * *", "0 12 1 * *"])
ZONES = st.sampled_from(["UTC", "Europe/Zurich", "Australia/Lord_Howe", "America/Havana", "Africa/Casablanca"])
JITTERS = st.one_of(st.just(0), st.integers(0, DAY_SECONDS))
SPANS = st.integers(0, 10 * DAY_SECONDS).map(lambda seconds: timedelta(seconds=seconds))


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    values = {
        "id": draw(NAMES),
        "schedule": draw(CRONTABS),
        "zone": draw(ZONES),
        "jitter_seconds": draw(JITTERS),
        "misfire": draw(st.sampled_from(MisfirePolicy)),
        "overlap": draw(st.sampled_from(OverlapPolicy)),
        "max_age_seconds": draw(st.integers(60, 10 * DAY_SECONDS)),
        "catch_up_limit": draw(st.integers(1, 30)),
    }
    return job_edits.unstored_job(values, START)


def _instants(job: Job, first: datetime, until: datetime) -> list[datetime]:
    return due_between(Schedule(job.trigger, job.zone), first, until, MOST_RECORDED)


def _jitter(job: Job) -> timedelta:
    return offset_of(job.id, job.jitter_seconds)


def _fire(job: Job, now: datetime, live_run: int | None = None) -> list[Fate]:
    """Do what a pass of the clock does with one job, in memory."""
    assert job.next_run_at is not None
    fates = fates_of(job, now, live_run) if job.next_run_at <= now else []
    if fates:
        job.next_run_at = next_turn(job, now)
    return fates


@given(NAMES, st.integers(1, DAY_SECONDS), st.integers(0, DAY_SECONDS))
def test_an_offset_is_stable_within_the_jitter_and_grows_with_it(name: str, jitter: int, more: int) -> None:
    offset = offset_of(name, jitter)
    assert timedelta(0) <= offset < timedelta(seconds=jitter)
    assert offset == offset_of(name, jitter)
    assert offset.microseconds == 0
    assert offset <= offset_of(name, jitter + more)


def test_offsets_of_many_jobs_spread_over_the_whole_jitter() -> None:
    minutes = [int(offset_of(f"job-{number}", 3600).total_seconds()) // 60 for number in range(6000)]
    counts = [minutes.count(minute) for minute in range(60)]
    assert min(counts) > 60
    assert max(counts) < 140


def test_an_offset_never_changes_between_versions() -> None:
    assert [offset_of(name, 3600).total_seconds() for name in ("spike", "a", "job-1")] == [1708, 2848, 33]


@settings(deadline=None)
@given(jobs(), SPANS)
def test_every_instant_whose_turn_has_come_has_just_one_fate(job: Job, span: timedelta) -> None:
    now = START + span
    expected = _instants(job, START + timedelta.resolution, now - _jitter(job))
    assert [fate.due_at for fate in fates_of(job, now, None)] == expected


@settings(deadline=None)
@given(jobs(), st.lists(SPANS, min_size=1, max_size=8), st.integers(0, 1))
def test_however_often_the_clock_looks_each_instant_has_one_fate(
    job: Job, spans: list[timedelta], live_run: int
) -> None:
    seen: list[datetime] = []
    reached = START
    for span in sorted(spans):
        reached = max(reached, START + span)
        seen += [fate.due_at for fate in _fire(job, reached, live_run or None)]
        assert job.next_run_at is not None
        assert job.next_run_at > reached
    expected = _instants(job, START + timedelta.resolution, reached - _jitter(job))
    assert seen[-MOST_RECORDED:] == expected


@settings(deadline=None)
@given(jobs(), SPANS)
def test_what_is_made_up_for_obeys_age_limit_and_policy(job: Job, span: timedelta) -> None:
    now = START + span
    reached = now - _jitter(job)
    fates = fates_of(job, now, None)
    fired = [fate for fate in fates if fate.outcome is FiringOutcome.FIRED]
    late = [fate for fate in fired if fate.is_late]
    assert all(fate.due_at >= reached - timedelta(seconds=job.max_age_seconds) for fate in fired)
    assert all(fate.is_late == (fate.due_at < reached - ON_TIME) for fate in fired)
    most = {MisfirePolicy.LAST: 1, MisfirePolicy.NONE: 0, MisfirePolicy.ALL: job.catch_up_limit}
    assert len(late) <= most[MisfirePolicy(job.misfire)]
    if job.overlap != OverlapPolicy.QUEUE:
        assert len(fired) <= 1
    elif job.misfire == MisfirePolicy.ALL:
        fresh = [fate.due_at for fate in fates if fate.due_at >= reached - timedelta(seconds=job.max_age_seconds)]
        old = [at for at in fresh if at < reached - ON_TIME]
        assert [fate.due_at for fate in late] == old[-job.catch_up_limit :]


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "schedule": CRONTABS,
        "zone": ZONES,
        "jitter_seconds": JITTERS,
        "description": st.just("new"),
        "at": st.integers(1, 100).map(lambda hours: START + timedelta(days=60, hours=hours)),
    },
).filter(lambda values: not {"schedule", "at"} <= values.keys())


@settings(deadline=None, max_examples=150)
@given(jobs(), SPANS, SPANS, CHANGES)
def test_an_edit_never_fires_in_the_past_nor_twice_and_loses_no_instant_silently(
    job: Job, fired_until: timedelta, idle: timedelta, changes: dict[str, Any]
) -> None:
    seen = [fate.due_at for fate in _fire(job, START + fired_until)]
    now = START + fired_until + idle
    before = (job.trigger, job.zone, job.jitter_seconds)
    pending = pending_instant(job)
    outstanding = _instants(job, pending or now, now)
    columns = job_edits.changed_columns(job, changes, now)
    lost = [fate.due_at for fate in job_edits.edit(job, columns, now)]
    if (job.trigger, job.zone, job.jitter_seconds) == before:
        assert (lost, pending_instant(job)) == ([], pending)
        return
    assert job.next_run_at is not None
    if (job.trigger, job.zone) != before[:2] or offset_of(job.id, before[2]) != _jitter(job):
        assert job.next_run_at > now
    assert set(lost) <= set(outstanding)
    kept = pending_instant(job)
    assert not set(seen) & {*lost, kept}
    if (job.trigger, job.zone) == before[:2]:
        assert [at for at in outstanding if at not in lost] == [at for at in outstanding if kept and at >= kept]
    else:
        assert lost == outstanding
        assert kept is not None
        assert kept > now


@settings(deadline=None)
@given(jobs(), SPANS, st.one_of(st.none(), SPANS), SPANS)
def test_a_resumed_job_records_its_pause_and_fires_for_nothing_of_it(
    job: Job, began: timedelta, length: timedelta | None, idle: timedelta
) -> None:
    job.paused_at, job.pause_reason = START + began, "away"
    _fire(job, job.paused_at)
    job.paused_until = None if length is None else job.paused_at + length + timedelta(seconds=1)
    pending, now = pending_instant(job), job.paused_at + idle
    assert pending is not None
    end = now if job.paused_until is None else min(now, job.paused_until - timedelta.resolution)
    asleep = job_edits.resume(job, now)
    assert {fate.outcome for fate in asleep} <= {FiringOutcome.PAUSED}
    assert [fate.due_at for fate in asleep] == _instants(job, pending, end - _jitter(job))
    assert job.next_run_at is not None
    assert job.next_run_at > end
    assert (job.paused_at, job.paused_until, job.pause_reason) == (None, None, None)
