"""The agent process: one per node, the only one that starts containers.

It leads while it holds an advisory lock of PostgreSQL; a second agent waits for that lock. Whatever ends a term of
office (a lost connection, a dead clock), the next one begins with a new epoch and goes on from the rows and from what
the backends show. There is no other way to recover.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from app import log as logging_setup
from app.errors import DatabaseDown, Unavailable
from app.scheduler import Clock, Tick
from app.services.agent_context import AgentContext
from app.services.answering import Answering
from app.services.answers import ANSWERERS
from app.services.cleaning import Cleaner
from app.services.clone_work import work_on_clones
from app.services.deliveries import Courier, spread
from app.services.delivery import deliver, listen
from app.services.dispatching import Dispatcher
from app.services.file_mounts import remove_stray_files
from app.services.hygiene import sweep
from app.services.installations_work import work_on_installations
from app.services.lock_keeping import LockKeeper, hear_of_freed_locks
from app.services.publishing_index import index_pushed
from app.services.publishing_later import push_due, work_on_decisions
from app.services.secrets import sweep_secrets
from app.services.silence import SilenceWatch
from app.services.snapshot_indexing import SnapshotIndexer
from app.services.terms import LeaderWatch, Life, begin_term, fence_of
from app.services.wakeups import Office
from app.services.zone_rules import apply_zone_rules
from app.settings import Settings
from app.wiring import AgentParts, equip

log = logging.getLogger(__name__)
EXIT_CLOCK_DEAD = 70
CLONES = "mao.clones"
INSTALLATIONS = "mao.installations"
LOCKS = "mao.locks"
DECISIONS = "mao.decisions"
PLANS = "mao.plans"
INDEX = "mao.index"
QUESTIONS = "mao.questions"
_WAKE_SECONDS = 1.0
_CLOCK_DEAD_SECONDS = 60.0


class ClockDead(Exception):
    """The clock has not ticked for so long that only a new process helps."""


def run(settings: Settings) -> int:
    """Be the agent until SIGTERM or SIGINT, and give the exit status. Runs in progress go on without us."""
    logging_setup.set_up()
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    parts = equip(settings)
    threading.Thread(target=parts.renewer.work, args=[stop], name="leases", daemon=True).start()
    while not stop.is_set():
        try:
            _wait_and_lead(parts, stop)
        except DatabaseDown as error:
            log.warning("The term of office is over: %s", error.message)
            stop.wait(_WAKE_SECONDS)
        except ClockDead:
            log.error("The clock has stopped; this process ends, so that a new one can begin.")
            return EXIT_CLOCK_DEAD
    return 0


def _wait_and_lead(parts: AgentParts, stop: threading.Event) -> None:
    office = Office(parts.database.url)
    try:
        if not office.try_to_lead():
            log.info("Another agent leads; waiting for it to end.")
            parts.renewer.tell([])
            leader = LeaderWatch(parts.database, parts.settings.node)
            while not office.try_to_lead():
                if leader.is_silent() and office.dislodge():
                    log.warning("The agent that led has shown no sign of life, and is dislodged.")
                elif stop.wait(_WAKE_SECONDS):
                    return
        _lead(parts, office, stop)
    finally:
        office.close()


def _lead(parts: AgentParts, office: Office, stop: threading.Event) -> None:
    context = _take_office(parts)
    dispatcher = Dispatcher(context, parts.planner)
    clock = Clock(_ticks(context, dispatcher), parts.firing.fire_due)
    keeper = LockKeeper(context, parts.locks, parts.renewer)
    clock.add(Tick(LOCKS, keeper.pause_seconds, keeper.tick))
    cleaner = Cleaner(context, parts.retention)
    clock.add(Tick("mao.retention", 3600.0, cleaner.remove_expired, first_after_seconds=300.0))
    clock.add(Tick("mao.gc", 86_400.0, cleaner.collect_garbage, first_after_seconds=600.0))
    clock.add(Tick(INDEX, 5.0, lambda: index_pushed(context, parts.index)))
    life = Life(context)
    clock.add(Tick("mao.life", 3.0, lambda: life.show(clock.describe())))
    clock.add(Tick("mao.backends", 3.0, life.look))
    clock.add(Tick("mao.network", 60.0, life.close_gaps))
    log.info("This agent leads node %s in epoch %s.", context.node, context.epoch)
    try:
        dispatcher.take_over()
        clock.start()
        threading.Thread(target=listen, args=[context], name="notifications", daemon=True).start()
        freed = [context, parts.locks, keeper, lambda: clock.do_now(LOCKS)]
        threading.Thread(target=hear_of_freed_locks, args=freed, name="locks", daemon=True).start()
        _serve(dispatcher, keeper, clock, office, stop)
    finally:
        context.lost.set()
        clock.stop()


def _take_office(parts: AgentParts) -> AgentContext:
    term = begin_term(parts.database, parts.settings.node)
    return AgentContext(
        settings=parts.settings,
        database=parts.database,
        registry=parts.registry,
        workdirs=parts.workdirs.fenced(fence_of(parts.database, parts.settings.node, term.epoch)),
        executors=parts.executors,
        installation=term.installation,
        webhook_key=term.webhook_key,
        epoch=term.epoch,
        lost=threading.Event(),
    )


def _ticks(context: AgentContext, dispatcher: Dispatcher) -> list[Tick]:
    return [
        Tick("mao.output", 0.5, dispatcher.flush),
        Tick("mao.leftovers", 5.0, lambda: sweep(context, dispatcher.supervised)),
        Tick("mao.secrets", 5.0, lambda: sweep_secrets(context)),
        Tick("mao.zones", 86_400.0, lambda: apply_zone_rules(context.database)),
        Tick("mao.files", 3600.0, lambda: remove_stray_files(context)),
        Tick("mao.notifications", 2.0, lambda: deliver(context)),
        Tick("mao.spread", 2.0, lambda: spread(context)),
        Tick("mao.deliveries", 1.0, Courier(context).work),
        Tick(PLANS, 2.0, dispatcher.plan),
        Tick(CLONES, 5.0, lambda: work_on_clones(context)),
        Tick(DECISIONS, 5.0, lambda: work_on_decisions(context)),
        Tick("mao.pushes", 15.0, lambda: push_due(context)),
        Tick(INSTALLATIONS, 5.0, lambda: work_on_installations(context)),
        Tick("mao.silence", 60.0, SilenceWatch(context).look),
        Tick("mao.snapshots", 2.0, SnapshotIndexer(context).work),
        Tick(QUESTIONS, 2.0, Answering(context, ANSWERERS).work),
    ]


def _serve(dispatcher: Dispatcher, keeper: LockKeeper, clock: Clock, office: Office, stop: threading.Event) -> None:
    """Sleep until something is told or a second is over, then do what there is to do; again and again."""
    tended_at = 0.0
    is_news = True
    while not stop.is_set():
        if is_news and _without_fail(dispatcher.step):
            clock.do_now(PLANS)
        told = office.wait(_WAKE_SECONDS)
        has_moved = False
        for payload in told.runs:
            has_moved |= dispatcher.told(payload)
        is_news = has_moved or told.is_empty
        if has_moved and keeper.tell():
            clock.do_now(LOCKS)
        if told.has_jobs:
            clock.look_again()
        if told.has_good_runs:
            clock.do_now(INDEX)
        if told.has_clones:
            clock.do_now(CLONES)
            clock.do_now(DECISIONS)
        if told.has_installations:
            clock.do_now(INSTALLATIONS)
        if told.has_questions:
            clock.do_now(QUESTIONS)
        if time.monotonic() - tended_at >= _WAKE_SECONDS:
            tended_at = time.monotonic()
            office.check()
            _without_fail(dispatcher.tend)
        if clock.age_seconds() > _CLOCK_DEAD_SECONDS:
            raise ClockDead


def _without_fail(work: Callable[[], bool | None]) -> bool | None:
    """Do a part of the dispatcher's work, and give what it gives, or None where it failed.

    Whatever goes wrong is logged and comes again with the next look. Whether this agent still leads is told by its
    office's own connection and by nothing else, so that one bad row cannot end the term of office.
    """
    try:
        return work()
    except Unavailable as error:
        log.warning("The dispatcher has to wait: %s", error.message)
    except Exception:
        log.exception("A part of the dispatcher's work failed; it comes again.")
    return None
