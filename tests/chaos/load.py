"""The load: tools, jobs, and people who submit, repeat and stop."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg2

from tests.chaos import tool
from tests.chaos.ledger import Appointment, Ledger, Submission
from tests.chaos.marks import Marks
from tests.chaos.processes import until
from tests.chaos.world import World
from tests.integration.images import busybox_image

DATA_TOOLS = ("alpha", "beta", "gamma", "delta")
PLAIN_TOOLS = ("plain", "bare")
LOCKS = {"gamma": ("left",), "delta": ("left", "right"), "beta": ("right",)}
_SUBMITTERS = 3
_BACKLOG = 14
_STOP_RATIO = 0.1
_REPEAT_RATIO = 0.1
_ATTEMPTS = 60
_RETRIES = ((0, 0), (0, 0), (2, 0), (2, 0), (0, 1), (2, 1))
"""Further attempts after failures of the infrastructure, and of the tool."""

_APPOINTMENT_SECONDS = 4.0


class Load:
    """Submits runs and jobs until it is told to end."""

    def __init__(self, world: World, marks: Marks, seed: int) -> None:
        self.ledger = Ledger()
        self._world = world
        self._marks = marks
        self._seed = seed
        self._is_over = threading.Event()
        self._backlog = 0
        self._threads = [
            threading.Thread(target=self._submit_on, args=[number], name=f"submitter-{number}", daemon=True)
            for number in range(_SUBMITTERS)
        ]
        self._threads.append(threading.Thread(target=self._make_appointments, name="appointments", daemon=True))
        self._threads.append(threading.Thread(target=self._count_backlog, name="backlog", daemon=True))

    def prepare(self) -> None:
        """Register the tools, run each once so that its clone is there, and make the jobs of every minute."""
        image = busybox_image()
        for name in (*DATA_TOOLS, *PLAIN_TOOLS):
            self._register(name, image)
        for name in DATA_TOOLS:
            self._marks.watch(self._world.data / name)
        first = [self._submit_once(Submission(f"first-{name}", name)) for name in (*DATA_TOOLS, *PLAIN_TOOLS)]
        until(lambda: not self._unfinished(), f"the first runs {first} are over", 120)
        for name in PLAIN_TOOLS:
            self._make_job({"id": f"minutely-{name}", "tool": name, "schedule": "* * * * *"})

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _register(self, name: str, image: str) -> None:
        keeps_data = name in DATA_TOOLS
        remote = ""
        if keeps_data:
            remote = f"file://{self._world.folder}/remotes/{name}.git"
            subprocess.run(["git", "init", "--quiet", "--bare", remote.removeprefix("file://")], check=True)
        entry = {
            "name": name,
            "author": "storm",
            "image": image,
            "data_repo": remote,
            "code_repo": "c",
            "artefact": "a",
            "network": "none",
            "command": tool.command(keeps_data=keeps_data),
            "locks": list(LOCKS.get(name, ())),
        }
        answer = self._world.call("POST", "/api/tools", json=entry)
        if answer.status_code != 201:
            raise RuntimeError(f"The tool {name} was not registered: {answer.status_code} {answer.text}")

    def _unfinished(self) -> int:
        return int(self._world.query("select count(*) from runs where ended_at is null")[0][0])

    def _count_backlog(self) -> None:
        while not self._is_over.wait(0.3):
            try:
                self._backlog = self._unfinished()
            except (psycopg2.Error, OSError):
                # Nobody can be asked now. What is submitted meanwhile waits.
                continue

    def _submit_on(self, number: int) -> None:
        chance = random.Random(f"{self._seed}-{number}")
        count = 0
        while not self._is_over.wait(chance.uniform(0.05, 0.6)):
            if self._backlog >= _BACKLOG:
                continue
            count += 1
            name = chance.choice((*DATA_TOOLS, *DATA_TOOLS, *PLAIN_TOOLS))
            submission = Submission(f"{self._seed}-{number}-{count}", name, *chance.choice(_RETRIES))
            run_id = self._submit_once(submission)
            if run_id and chance.random() < _REPEAT_RATIO:
                self._ask(submission)
            if run_id and chance.random() < _STOP_RATIO:
                threading.Thread(target=self._stop, args=[run_id, chance.uniform(0, 1.5)], daemon=True).start()

    def _submit_once(self, submission: Submission) -> int | None:
        """Ask until the API has accepted; the key makes that one run, however often it is asked."""
        self.ledger.note(lambda: self.ledger.submissions.append(submission))
        for _ in range(_ATTEMPTS):
            if run_id := self._ask(submission):
                return run_id
            if self._is_over.wait(0.5):
                break
        return None

    def _ask(self, submission: Submission) -> int | None:
        body = {
            "description": submission.key,
            "infrastructureRetries": submission.infrastructure_retries,
            "toolRetries": submission.tool_retries,
        }
        answer = self._world.call("POST", f"/api/tools/{submission.tool}/runs", key=submission.key, json=body)
        self.ledger.count(answer.status_code)
        if answer.status_code != 202:
            return None
        run_id = int(answer.json()["runId"])
        self.ledger.note(lambda: submission.answered.add(run_id))
        return run_id

    def _stop(self, run_id: int, seconds: float) -> None:
        time.sleep(seconds)
        self.ledger.note(lambda: self.ledger.stopped.add(run_id))
        answer = self._world.call("DELETE", f"/api/runs/{run_id}", params={"force": str(run_id % 2 == 0).lower()})
        self.ledger.count(answer.status_code)

    def _make_appointments(self) -> None:
        chance, count = random.Random(f"{self._seed}-appointments"), 0
        while not self._is_over.wait(_APPOINTMENT_SECONDS):
            count += 1
            at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=chance.randint(4, 9))
            tool_name = chance.choice(PLAIN_TOOLS)
            self._make_job({"id": f"once-{self._seed}-{count}", "tool": tool_name, "at": at.isoformat()})

    def _make_job(self, spec: dict[str, str]) -> None:
        """Make a job; its due instants are known from what was asked for, and for crontab text from the answer."""
        answer = self._world.call("POST", "/api/jobs", json={**spec, "misfire": "all", "overlap": "queue"})
        self.ledger.count(answer.status_code)
        if answer.status_code == 201:
            at = datetime.fromisoformat(spec.get("at") or answer.json()["nextRunTime"])
            appointment = Appointment(spec["id"], at, is_minutely="at" not in spec)
            self.ledger.note(lambda: self.ledger.appointments.append(appointment))
