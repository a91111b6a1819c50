"""Which of the systems below us answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from app.clock import utc_now
from app.errors import MaoError
from app.models.agent import Agent

PROBE_SECONDS = 2.0
AGENT_SILENCE_SECONDS = 15

log = logging.getLogger(__name__)

Finding = tuple[bool, str]


class HealthService:
    """Asks every system at once, and waits for none of them longer than ``PROBE_SECONDS``."""

    def __init__(
        self,
        ping_database: Callable[[], str],
        ping_registry: Callable[[], str],
        find_agent: Callable[[], Agent | None],
    ) -> None:
        """Each ping gives a version, or raises; ``find_agent`` gives the row of this node's agent."""
        self._probes: Mapping[str, Callable[[], dict[str, Finding]]] = {
            "postgres": lambda: {"postgres": (True, ping_database())},
            "etcd": lambda: {"etcd": (True, ping_registry())},
            "agent": lambda: judge_agent(find_agent()),
        }

    def check(self) -> dict[str, Finding]:
        """Give, for postgres, etcd, agent and docker, whether it is up, and its version or what is wrong."""
        silent = (False, f"No answer within {PROBE_SECONDS:g} seconds.")
        found: dict[str, Finding] = dict.fromkeys((*self._probes, "docker"), silent)
        answers: dict[str, dict[str, Finding]] = {}
        threads = [
            threading.Thread(target=_ask, args=(name, probe, answers), name=f"probe-{name}", daemon=True)
            for name, probe in self._probes.items()
        ]
        deadline = time.monotonic() + PROBE_SECONDS
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for name in self._probes:
            found.update(answers.get(name, {}))
        return found


def judge_agent(agent: Agent | None) -> dict[str, Finding]:
    """Judge the agent by the age of its last sign of life, and Docker by what the agent last said of it."""
    if agent is None:
        return {"agent": (False, "No agent has ever run on this node."), "docker": (False, "Only an agent can tell.")}
    age = int((utc_now() - agent.seen_at).total_seconds())
    if age > AGENT_SILENCE_SECONDS:
        silence = f"The agent was last seen {age} seconds ago."
        return {"agent": (False, silence), "docker": (False, "Only a living agent can tell.")}
    return {"agent": (True, agent.version), "docker": _judge_docker(agent.systems.get("docker"))}


def _judge_docker(reported: Any) -> Finding:
    if not isinstance(reported, Mapping):
        return False, "The agent has not looked yet."
    return bool(reported.get("is_up")), str(reported.get("detail", ""))


def _ask(name: str, probe: Callable[[], dict[str, Finding]], answers: dict[str, dict[str, Finding]]) -> None:
    try:
        answers[name] = probe()
    except MaoError as error:
        answers[name] = _failed(name, error.message)
    except Exception:
        log.exception("The check of %s broke off", name)
        answers[name] = _failed(name, "The check itself failed; the log has the details.")


def _failed(name: str, detail: str) -> dict[str, Finding]:
    finding = (False, detail)
    return {"agent": finding, "docker": finding} if name == "agent" else {name: finding}
