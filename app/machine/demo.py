"""`mao demo`: the product at work, told as the commands that a person would type."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.errors import MaoError, NotFound
from app.machine import background, demo_parts
from app.machine.instance import is_ready
from app.settings import Settings, child_environment, load

TOOL = "latest-images"
DATASET = "dockerhub-latest"
BACKEND_LABEL = "_execution_backend_id=process"
_RUNS = 3
_DONE = 0
_ANOMALY = 6
_FOLDER = Path(__file__).resolve().parents[2] / "examples" / "demo"


@dataclass(frozen=True)
class _Stage:
    """Where the story plays: the running product, how it is spoken to, and who listens."""

    settings: Settings
    say: Callable[[str], None]

    def maoctl(self, *arguments: str, also_good: Sequence[int] = ()) -> int:
        """Show a command and run it; anything that it prints goes to the same place. Give its exit status.

        Raises:
            MaoError: it ends with another status than 0 or those that are also good.
        """
        self.say(f"\n$ maoctl {shlex.join(arguments)}")
        status = subprocess.run(self._command(*arguments), env=self._environment, check=False).returncode
        if status not in (_DONE, *also_good):
            raise MaoError(
                f"`maoctl {arguments[0]} {arguments[1]}` ended with exit status {status}.",
                hint=f"The log of the product is {self.settings.instance / background.LOG_NAME}.",
            )
        return status

    def ask(self, *arguments: str) -> dict[str, object] | None:
        """Give what a `maoctl` command answers as JSON, or None where it is refused."""
        done = subprocess.run(
            self._command(*arguments, "-o", "json"), env=self._environment, capture_output=True, text=True, check=False
        )
        found = json.loads(done.stdout) if done.returncode == _DONE else None
        return found if isinstance(found, dict) else None

    def _command(self, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).with_name("maoctl")), *arguments]

    @property
    def _environment(self) -> dict[str, str]:
        return child_environment(self.settings)


def tell(settings: Settings, backend: str, say: Callable[[str], None]) -> None:
    """Set the scene, run the collector three times, and leave the product running.

    Raises:
        MaoError: a step failed; the message says which and what to do.
    """
    if not _FOLDER.is_dir():
        raise NotFound(f"The demo needs {_FOLDER}.", hint="Run it from a checkout of the repository: make demo")
    if demo_parts.write_config(settings, backend) and is_ready(settings.instance):
        background.stop(settings, say, stop_runs=True)
    stage = _Stage(_started(load(instance=settings.instance), say), say)
    settings = stage.settings
    remote = demo_parts.made_remote(settings.instance / "remotes" / f"{DATASET}.git", say)
    image = demo_parts.built_image(_FOLDER, say) if backend == "docker" else "none"
    _register(stage, remote, image, backend)
    anomalies = _run(stage)
    stage.maoctl("tool", "schedule", TOOL, "daily")
    stage.maoctl("tool", "list-scheduled")
    _show_commit(stage)
    _say_farewell(stage, anomalies)


def _started(settings: Settings, say: Callable[[str], None]) -> Settings:
    if is_ready(settings.instance):
        say(f"The product runs already for {settings.instance}.")
        return settings
    port = demo_parts.free_port(settings.api.host, settings.api.port)
    settings = replace(settings, api=replace(settings.api, port=port))
    say("Starting the product: PostgreSQL, etcd, the API and the agent.")
    background.start(settings, say)
    return settings


def _register(stage: _Stage, remote: str, image: str, backend: str) -> None:
    stage.say("\nA data set is a git repository; a tool is an image that adds to it.")
    if stage.ask("dataset", "get", DATASET):
        stage.say(f"The data set '{DATASET}' exists already; the demo goes on with it.")
    else:
        stage.maoctl("dataset", "add", DATASET, remote, "--hub", "dockerhub")
    known = stage.ask("tool", "get", TOOL)
    how: list[str] = []
    if backend == "process":
        how = ["--label", BACKEND_LABEL, "--", "/bin/sh", str(_FOLDER / "collect.sh")]
    if known and known.get("image") == image:
        stage.say(f"The tool '{TOOL}' exists already.")
        return
    again = ["--replace"] if known else []
    stage.maoctl("tool", "add", TOOL, "The demo", image, DATASET, "", "latest-images-*.csv", *again, *how)


def _run(stage: _Stage) -> int:
    stage.say(
        "\nA first run brings two weeks of the past, each later run a day. A figure is judged by those before it."
    )
    run = ("tool", "run", TOOL, "--fail-on-spike")
    anomalies = sum(stage.maoctl(*run, also_good=(_ANOMALY,)) == _ANOMALY for _ in range(_RUNS))
    stage.maoctl("run", "list")
    return anomalies


def _show_commit(stage: _Stage) -> None:
    clone = stage.settings.working_environment.importdir / DATASET
    command = ["git", "--no-pager", "-C", str(clone), "show", "--stat"]
    stage.say(f"\nWhat the last run left in the data set:\n$ {shlex.join(command)}")
    subprocess.run(command, check=False)


def _say_farewell(stage: _Stage, anomalies: int) -> None:
    instance = stage.settings.instance
    url = f"http://{stage.settings.api.host}:{stage.settings.api.port}"
    verdict = (
        "A run above shows an anomaly: its figure is outside the range that the days before let expect. Nothing failed."
        if anomalies
        else "No anomaly this time: the figures of these runs were as the days before let expect."
    )
    stage.say(f"""
{verdict}
The product goes on running, and the tool will run every day at 00:00 UTC.

Stop it:   make stop
Try next:  export PATH={Path(sys.executable).parent}:$PATH MAO_INSTANCE={instance}
           maoctl metric plot {TOOL}    draw the figures, the range of each, and the alarms
           maoctl incident get                 see what is wrong now, and since when
           maoctl run get 3                    see all that is known of a run
           maoctl notification get             read who was told
           maoctl tool run {TOOL}       collect the next day
           maoctl doctor                       ask whether all is well
           {url}/api/docs shows the API; the token is in {instance / "maoctl.ini"}""")
