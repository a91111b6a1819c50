"""The figures that an operator watches: each with its name, its meaning and, where it has several, its labels."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.clock import utc_now
from app.models.agent import Agent
from app.models.metric import IncidentKind
from app.models.notification import Channel, DeliveryState
from app.models.run import FINAL, RunStatus
from app.repositories.agents import AgentRepository
from app.repositories.database import Database
from app.repositories.figures import FigureRepository


@dataclass(frozen=True)
class Figure:
    """A gauge. ``label`` is the name of its one label, empty where it has none; ``values`` maps label to value."""

    name: str
    about: str
    label: str = ""
    values: dict[str, float] = field(default_factory=dict)


class FigureService:
    """Reads the figures of this node."""

    def __init__(self, database: Database, slots: int) -> None:
        self._database = database
        self._slots = slots

    def read(self) -> list[Figure]:
        """Give all figures as they are now; the ages of an agent that was never there are left out."""
        with self._database.transaction() as session:
            figures, agent = FigureRepository(session), AgentRepository(session).find_latest()
            found = [*_of_runs(figures), *_of_the_rest(figures), *_of_deliveries(figures)]
            return [*found, *_of_the_agent(agent), self._of_slots()]

    def _of_slots(self) -> Figure:
        return Figure("mao_slots", "Runs that this node holds at most.", values={"": self._slots})


def _of_runs(figures: FigureRepository) -> list[Figure]:
    live, waiting = figures.live(), figures.waiting()
    statuses = {str(status): live.get(status, 0) for status in RunStatus if status not in FINAL}
    ages = {reason: oldest for reason, _, oldest in waiting}
    return [
        Figure("mao_runs", "Runs that are not over, by status.", "status", dict(statuses)),
        Figure(
            "mao_runs_waiting", "Runs that wait, by what for.", "reason", {word: count for word, count, _ in waiting}
        ),
        Figure("mao_runs_waiting_oldest_seconds", "Age of the run that waits longest, by what for.", "reason", ages),
        Figure("mao_runs_in_doubt", "Runs that want a person to say what they are.", values={"": figures.in_doubt()}),
    ]


def _of_the_rest(figures: FigureRepository) -> list[Figure]:
    found = figures.open_incidents()
    return [
        Figure(
            "mao_jobs_overdue_seconds",
            "How long a job has been due and not fired.",
            values={"": figures.overdue_seconds()},
        ),
        Figure(
            "mao_notifications_not_delivered", "Notifications that wait for etcd.", values={"": figures.not_delivered()}
        ),
        Figure(
            "mao_incidents_open",
            "Incidents that are not over, by kind.",
            "kind",
            {kind.value: found.get(kind.value, 0) for kind in IncidentKind},
        ),
        Figure("mao_database_bytes", "Size of the database.", values={"": figures.database_bytes()}),
    ]


def _of_deliveries(figures: FigureRepository) -> list[Figure]:
    known = figures.deliveries()
    return [
        Figure(
            f"mao_deliveries_{state}",
            f"Deliveries of notifications that are {state.replace('_', ' ')}, by channel.",
            "channel",
            {str(channel): known.get((channel, state), 0) for channel in Channel},
        )
        for state in DeliveryState
    ]


def _of_the_agent(agent: Agent | None) -> list[Figure]:
    if agent is None:
        return []
    age = (utc_now() - agent.seen_at).total_seconds()
    systems = {name: float(bool(found.get("is_up"))) for name, found in agent.systems.items()}
    return [
        Figure("mao_agent_seen_seconds", "Age of the agent's last sign of life.", values={"": age}),
        Figure("mao_agent_epoch", "How often an agent has taken over this node.", values={"": agent.epoch}),
        Figure("mao_backend_up", "Whether the agent reaches a backend.", "backend", systems),
    ]
