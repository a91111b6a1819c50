"""Every kind of fault: how it is made, on what, how often, and what mends it.

A fault is a function of the world and of chance. It breaks something at once and gives how it is mended, or None where
the keeper does that. ``seconds`` is how long it lasts before it is mended.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from tests.chaos.network import Link
from tests.chaos.processes import Process
from tests.chaos.world import FAKETIME, LOCK_SECONDS, World, freeze, signal_all

Mend = Callable[[], None]
_CUTS = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname is not null"


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    ``part`` is what it breaks; a part has one fault at a time. ``kills`` says that processes die.
    """

    name: str
    part: str
    weight: int
    make: Callable[[World, random.Random], Mend | None]
    seconds: tuple[float, float] = (0.0, 0.0)
    kills: bool = False


def _agent(world: World, chance: random.Random, *, is_leader: bool) -> Process:
    leader = world.leader()
    others = [agent for agent in world.agents if agent is not leader]
    return leader if is_leader and leader else chance.choice(others)


def _kill_leader(world: World, chance: random.Random) -> None:
    _agent(world, chance, is_leader=True).kill()


def _kill_waiting(world: World, chance: random.Random) -> None:
    _agent(world, chance, is_leader=False).kill()


def _freeze_leader(world: World, chance: random.Random) -> Mend:
    return freeze([_agent(world, chance, is_leader=True).pid])


def _replace_frozen_leader(world: World, chance: random.Random) -> Mend:
    """Freeze the leader for longer than its locks last, and cut its connections, so that the other one takes over."""
    thaw = freeze([_agent(world, chance, is_leader=True).pid])
    _cut_sessions(world, chance)
    return thaw


def _jump_in_time(world: World, chance: random.Random) -> Mend:
    """Let both agents live with a clock that is wrong until they are killed again."""
    world.wrong_by_seconds = chance.choice((-40, -15, 15, 40))
    for agent in world.agents:
        agent.kill()

    def mend() -> None:
        world.wrong_by_seconds = 0
        for agent in world.agents:
            agent.kill()

    return mend


def _kill_worker(world: World, chance: random.Random) -> None:
    signal_all(world.api.children()[:1] if chance.random() < 0.5 else world.api.children()[-1:], signal.SIGKILL)


def _kill_api(world: World, _chance: random.Random) -> None:
    world.api.kill()


def _freeze_worker(world: World, chance: random.Random) -> Mend:
    workers = world.api.children()
    return freeze([chance.choice(workers)] if workers else [])


def _stop_postgres(world: World, _chance: random.Random) -> None:
    """Do what ``pg_ctl restart -m immediate`` does first: no checkpoint, every connection cut."""
    signal_all([world.postgres.pid], signal.SIGQUIT)


def _kill_postgres(world: World, _chance: random.Random) -> None:
    signal_all([world.postgres.pid], signal.SIGKILL)


def _kill_session(world: World, chance: random.Random) -> None:
    """Kill one of the server's children, upon which it cuts all connections and recovers from its log."""
    children = world.postgres_processes()[1:]
    signal_all([chance.choice(children)] if children else [], signal.SIGKILL)


def _cut_sessions(world: World, _chance: random.Random) -> None:
    with suppress(psycopg2.Error):
        world.query(_CUTS)


def _freeze_postgres(world: World, _chance: random.Random) -> Mend:
    return freeze(world.postgres_processes())


def _kill_member(world: World, chance: random.Random) -> None:
    chance.choice(world.etcd.members).kill()


def _kill_etcd_leader(world: World, _chance: random.Random) -> None:
    world.etcd.members[world.etcd.leader()].kill()


def _lose_quorum(world: World, chance: random.Random) -> Mend:
    down = chance.sample(world.etcd.members, 2)
    for member in down:
        member.is_held_down = True
        member.kill()

    def mend() -> None:
        for member in down:
            member.is_held_down = False

    return mend


def _freeze_etcd(world: World, _chance: random.Random) -> Mend:
    return freeze([member.pid for member in world.etcd.members])


def _kill_engine(world: World, _chance: random.Random) -> None:
    world.engine.keeps_tools = True
    world.engine.dockerd.kill()


def _kill_engine_with_tools(world: World, _chance: random.Random) -> None:
    """Start the killed daemon again without ``--live-restore``: it then ends all tools."""
    world.engine.keeps_tools = False
    world.engine.dockerd.kill()


def _freeze_engine(world: World, _chance: random.Random) -> Mend:
    return freeze([world.engine.dockerd.pid])


def _fill(place: Callable[[World], Path]) -> Callable[[World, random.Random], Mend]:
    def fill(world: World, _chance: random.Random) -> Mend:
        filler = place(world) / ".filler"
        free = os.statvfs(place(world))
        with filler.open("wb") as file, suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize))
        return lambda: filler.unlink(missing_ok=True)

    return fill


def _links(world: World, is_postgres: bool) -> list[Link]:
    return [world.postgres_link] if is_postgres else world.etcd_links


def _on_links(change: Callable[[World, Link, random.Random], None], *, is_postgres: bool) -> Callable[..., Mend]:
    def make(world: World, chance: random.Random) -> Mend:
        for link in _links(world, is_postgres):
            change(world, link, chance)

        def mend() -> None:
            for link in _links(world, is_postgres):
                world.network.mend(link)

        return mend

    return make


def _slow(world: World, link: Link, chance: random.Random) -> None:
    world.network.slow_down(link, chance.uniform(0.02, 0.2))


def _cut(world: World, link: Link, chance: random.Random) -> None:
    world.network.cut_after(link, chance.randint(100, 8000))


def _silence(world: World, link: Link, _chance: random.Random) -> None:
    world.network.silence(link)


def _reset(world: World, link: Link, _chance: random.Random) -> None:
    world.network.reset(link)


KINDS = (
    Kind("agent: leader killed", "agent", 18, _kill_leader, kills=True),
    Kind("agent: waiting one killed", "agent", 4, _kill_waiting, kills=True),
    Kind("agent: frozen", "agent", 3, _freeze_leader, (0.5, 3.0)),
    Kind("agent: frozen and replaced", "agent", 2, _replace_frozen_leader, (LOCK_SECONDS + 1.0, LOCK_SECONDS + 3.0)),
    *([Kind("agent: clock wrong", "agent", 1, _jump_in_time, (4.0, 8.0))] if FAKETIME else []),
    Kind("API: worker killed", "api", 13, _kill_worker, kills=True),
    Kind("API: all killed", "api", 5, _kill_api, kills=True),
    Kind("API: worker frozen", "api", 2, _freeze_worker, (0.5, 3.0)),
    Kind("PostgreSQL: stopped at once", "postgres", 8, _stop_postgres, kills=True),
    Kind("PostgreSQL: killed", "postgres", 5, _kill_postgres, kills=True),
    Kind("PostgreSQL: a child killed", "postgres", 4, _kill_session, kills=True),
    Kind("PostgreSQL: all sessions cut", "postgres", 6, _cut_sessions),
    Kind("PostgreSQL: frozen", "postgres", 3, _freeze_postgres, (0.5, 4.0)),
    Kind("PostgreSQL: disk full", "postgres", 1, _fill(lambda world: world.folder / "postgres"), (2.0, 4.0)),
    Kind("PostgreSQL: slow network", "postgres", 2, _on_links(_slow, is_postgres=True), (1.0, 3.0)),
    Kind("PostgreSQL: cut in mid-sentence", "postgres", 5, _on_links(_cut, is_postgres=True), (0.3, 0.6)),
    Kind("PostgreSQL: connections reset", "postgres", 4, _on_links(_reset, is_postgres=True)),
    Kind("PostgreSQL: silent network", "postgres", 2, _on_links(_silence, is_postgres=True), (2.0, 6.0)),
    Kind("etcd: member killed", "etcd", 9, _kill_member, kills=True),
    Kind("etcd: leader killed", "etcd", 5, _kill_etcd_leader, kills=True),
    Kind("etcd: quorum lost", "etcd", 2, _lose_quorum, (2.0, 5.0), kills=True),
    Kind("etcd: frozen", "etcd", 1, _freeze_etcd, (1.0, 4.0)),
    Kind("etcd: cut in mid-sentence", "etcd", 2, _on_links(_cut, is_postgres=False), (0.3, 1.0)),
    Kind("etcd: connections reset", "etcd", 2, _on_links(_reset, is_postgres=False)),
    Kind("etcd: silent network", "etcd", 1, _on_links(_silence, is_postgres=False), (2.0, 5.0)),
    Kind("engine: killed, tools live on", "engine", 13, _kill_engine, kills=True),
    Kind("engine: killed with its tools", "engine", 3, _kill_engine_with_tools, kills=True),
    Kind("engine: frozen", "engine", 2, _freeze_engine, (0.5, 5.0)),
    Kind("data folder: disk full", "data", 1, _fill(lambda world: world.data), (1.0, 3.0)),
)
AGENT = "agent"
GAPS = {
    AGENT: (0.1, 1.0),
    "api": (0.5, 4.0),
    "postgres": (0.5, 5.0),
    "etcd": (1.0, 6.0),
    "engine": (1.0, 7.0),
    "data": (10.0, 40.0),
}
"""How many seconds a part has peace after it is back."""

READY: dict[str, Callable[[World], bool]] = {
    "agent": lambda world: world.leader() is not None,
    "api": World.is_api_ready,
    "postgres": World.is_postgres_ready,
    "etcd": lambda world: world.etcd.is_ready(),
    "engine": lambda world: world.engine.is_ready(),
    "data": lambda _world: True,
}
"""How it is seen that a part is back."""
