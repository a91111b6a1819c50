"""The bare container engine: what it takes to run the same container without the product."""

from __future__ import annotations

import itertools
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker

from app.executors.base import Limits, RunRequest
from app.executors.container_profile import LABEL_NODE, NOBODY, container_config
from app.settings import Settings
from benchmarks import image
from benchmarks.product import NODE, TOOL

STEPS = ("create", "start", "wait", "inspect", "remove")
_BARE_NODE = f"bare-{os.getpid()}"
_POLL_SECONDS = 0.005


class Engine:
    """One client of the container engine, shared by all threads, as a careful script would have it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = docker.APIClient(settings.docker.socket, timeout=60, max_pool_size=40)
        self._image_id = image.build(self._client)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        for node in (NODE, _BARE_NODE):
            for handle in self._containers_of(node):
                self._client.remove_container(handle, force=True)
        image.remove(self._client)
        self._client.close()

    @property
    def version(self) -> str:
        """The engine's version."""
        return str(self._client.version()["Version"])

    def run_once(self) -> dict[str, float]:
        """Run one container from its creation to its removal, and give the seconds that each step took."""
        request = self._request()
        times = [time.perf_counter()]
        handle = self._client.create_container_from_config(self._configuration(request), request.container_name)["Id"]
        times.append(time.perf_counter())
        self._client.start(handle)
        times.append(time.perf_counter())
        self._client.wait(handle)
        times.append(time.perf_counter())
        if self._client.inspect_container(handle)["State"]["ExitCode"] != 0:
            raise RuntimeError("The bare container failed, so its times say nothing.")
        times.append(time.perf_counter())
        self._client.remove_container(handle, v=True, force=True)
        times.append(time.perf_counter())
        return {step: after - before for step, (before, after) in zip(STEPS, itertools.pairwise(times), strict=True)}

    def run_many(self, count: int, threads: int) -> float:
        """Run ``count`` containers by ``threads`` threads, and give the seconds that it took."""
        began = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(self.run_once) for _ in range(count)]:
                done.result()
        return time.perf_counter() - began

    def until_clean(self) -> None:
        """Wait until the product has removed all its containers: only then it has done what the bare engine did."""
        while self._containers_of(NODE):
            time.sleep(_POLL_SECONDS)

    def _containers_of(self, node: str) -> list[str]:
        found = self._client.containers(all=True, filters={"label": f"{LABEL_NODE}={node}"})
        return [entry["Id"] for entry in found]

    def _request(self) -> RunRequest:
        with self._lock:
            number = next(self._numbers)
        limits = self._settings.limits
        return RunRequest(
            run_id=number,
            attempt=1,
            node=_BARE_NODE,
            installation="benchmark",
            tool=TOOL,
            image=image.IMAGE,
            image_id=self._image_id,
            limits=Limits(limits.memory_mb, limits.cpus, limits.pids, limits.timeout_seconds),
            command=("true",),
            env={"MAO_RUN_ID": str(number), "MAO_TOOL": TOOL, "MAO_NODE": _BARE_NODE, "MAO_DATE": "2024-01-01"},
            network="none",
        )

    def _configuration(self, request: RunRequest) -> dict[str, Any]:
        return container_config(
            request,
            owner=NOBODY,
            bridge_network=self._settings.docker.network,
            log_bytes=2 * self._settings.limits.output_bytes,
            allow_legacy=False,
        )
