"""The container engine as a backend; the only file that imports its SDK.

What the engine says when it is asked (inspect, list) is the truth. A handle is a container's id, never its name: an
agent that was frozen for a while must not start a later container that was given the same name.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
from docker import auth
from docker.errors import APIError, DockerException
from docker.transport import UnixHTTPAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError

from app import settings
from app.errors import BackendFailed, DockerDown, Invalid, StorageFull
from app.executors import container_state, engine_memory, firewall, images, secret_folders
from app.executors.base import Leftover, Observation, Phase, RunRequest, StopMode, StoredImage, written_folder
from app.executors.bridge import bridge_of, network_options
from app.executors.container_profile import (
    LABEL_INSTALLATION,
    LABEL_NODE,
    NOBODY,
    container_config,
    needs_bridge,
    user_of,
)
from app.executors.docker_stream import payloads, pull_failure, skipping
from app.models.run import Cause

PULL_POLICIES = ("missing", "always", "never")
_THREADS = 40
_PAUSE_SECONDS = 0.2
_TAIL_LINES = 4000
_PATIENCE_SECONDS = 5
_QUIET_SECONDS = 30
# The engine adds about 28 bytes to each line that it keeps, so a file of it holds at least this part of its size.
_UNIX = "unix://"
_BAD_REQUEST = 400
_FORBIDDEN = 403
_NOT_FOUND = 404
_CONFLICT = 409


class _OnePool(UnixHTTPAdapter):  # type: ignore[misc]
    """Keep one pool of connections; the SDK's own adapter keeps one for every URL, so that none is ever used again."""

    def get_connection(self, url: str, proxies: object = None) -> Any:
        return super().get_connection("http+docker://localhost", proxies)


class DockerExecutor:
    """Run tools in containers.

    ``output_bytes`` is how much of a run's output the caller stores; the engine keeps more than that, so that a caller
    that was away finds all of it. Nothing is connected before the first call.
    """

    name = "docker"
    can_stop = True
    can_stream = True
    can_attach = True
    gives_all_output = False

    def __init__(self, engine: settings.Docker, output_bytes: int = 64 * 2**20) -> None:
        if engine.pull_policy not in PULL_POLICIES:
            raise Invalid(f"'{engine.pull_policy}' is not a pull policy.", hint=f"One of: {', '.join(PULL_POLICIES)}.")
        self._engine = engine
        self._output_bytes = output_bytes
        self._log_bytes = 2 * output_bytes
        self._client_lock = threading.Lock()
        self._shared_client: Any = None
        self._network_lock = threading.Lock()
        self._has_network = False
        self._gap: str | None = None
        self._storage: Path | None = None

    def prepare(self, request: RunRequest) -> RunRequest:
        """Fetch the image as the pull policy says, and pin it by its id."""
        if not request.image:
            raise images.missing(request.image, "the tool names none.")
        may_fetch = self._engine.pull_policy != "never" and not images.is_image_id(request.image)
        must_fetch = may_fetch and self._engine.pull_policy == "always"
        found = None if must_fetch else self._find_image(request.image)
        if found is None:
            if not may_fetch:
                raise images.not_here(request.image)
            if not request.may_fetch:
                raise StorageFull(f"There is no room for the image '{request.image}'.")
            before = self._image_ids()
            self._pull(request.image)
            found = self._find_image(request.image)
            request = replace(request, is_image_new=found is not None and found["Id"] not in before)
        if found is None:
            raise images.missing(request.image, "the container engine fetched it and does not have it.")
        return replace(request, image_id=found["Id"], image_digest=images.digest_of(found, request.image))

    def create(self, request: RunRequest) -> str:
        """Create the container; where its name is taken by the very same attempt, give that container's id."""
        owner = _owner_of(written_folder(request))
        config = container_config(
            request,
            owner=owner,
            bridge_network=self._engine.network,
            log_bytes=self._log_bytes,
            allow_legacy=self._engine.allow_legacy,
            secrets=secret_folders.lay_out(request, user_of(request, owner)),
        )
        if needs_bridge(config):
            self._ensure_network()
        patience = time.monotonic() + _PATIENCE_SECONDS
        while True:
            with _door("create a container"):
                try:
                    return str(self._client.create_container_from_config(config, request.container_name)["Id"])
                except APIError as error:
                    is_passing = error.status_code == _CONFLICT or error.is_server_error()
                    if not is_passing or time.monotonic() > patience:
                        said = str(error.explanation)
                        raise container_state.creation_refused(request.image, error.status_code, said) from error
            if holder := self._inspect(request.container_name):
                return container_state.adopted(holder, config["Labels"], request.container_name)
            # The name is reserved before the container can be seen, and an engine that comes up fails for a moment.
            time.sleep(_PAUSE_SECONDS)

    def start(self, handle: str) -> None:
        """Start the container if it never ran: starting one that has exited would run the tool a second time."""
        patience = time.monotonic() + _PATIENCE_SECONDS
        while (seen := self._inspect(handle)) and container_state.has_never_run(seen):
            with _door("start a container"):
                try:
                    self._client.start(handle)
                    return
                except APIError as error:
                    is_network_gone = error.status_code == _NOT_FOUND and "network" in str(error.explanation)
                    is_passing = is_network_gone or error.is_server_error()
                    if not is_passing or time.monotonic() > patience:
                        raise container_state.start_refused(self._inspect(handle), str(error.explanation)) from error
            if is_network_gone:
                # Cleaning up by "prune" takes a network away whenever no tool runs.
                self._has_network = False
                self._ensure_network()
            time.sleep(_PAUSE_SECONDS)

    def has_forgotten(self, handle: str) -> bool:
        """Ask the engine whether it knows that it made the container."""
        with _door("give its events"):
            return not engine_memory.remembers_creation(self._client, handle)

    def status(self, handle: str) -> Observation:
        """Inspect the container."""
        seen = self._inspect(handle)
        return container_state.observation(seen) if seen else Observation(Phase.GONE)

    def wait(self, handle: str, timeout_seconds: float) -> Observation:
        """Let the engine wait, then inspect the container whatever came of that."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            # The time limit is one of reading HTTP, and shows as any of several errors. Inspecting tells them apart.
            with suppress(OSError, HTTPError, DockerException):
                self._client.wait(handle, timeout=max(0.001, deadline - time.monotonic()))
            seen = self.status(handle)
            remaining = deadline - time.monotonic()
            if seen.phase in (Phase.ENDED, Phase.GONE) or remaining <= 0:
                return seen
            time.sleep(min(_PAUSE_SECONDS, remaining))

    def output(self, handle: str, from_byte: int) -> Iterator[bytes]:
        """Follow the container's log, which the engine can only give from its beginning.

        Ends early once it is past ``output_bytes``: the engine does not keep all of a longer output.
        """
        position, is_over = from_byte, False
        while position <= self._output_bytes:
            before = position
            # A stream that stays silent is opened again: behind a frozen engine it would stay silent for ever.
            with suppress(ReadTimeoutError), _door("give a container's output"):
                for chunk in self._follow(handle, position):
                    yield chunk
                    position += len(chunk)
                    if position > self._output_bytes:
                        return
                # A reader may miss what was printed last, or lose its file when the engine begins a new one. Only one
                # that came after the end and found nothing more proves that there is no more.
                if is_over and position == before:
                    return
                is_over = self.status(handle).phase is not Phase.RUNNING
                time.sleep(0 if is_over else _PAUSE_SECONDS)

    def tail(self, handle: str, limit_bytes: int) -> bytes:
        """Give the end of the container's log."""
        end = bytearray()
        parameters = {"stdout": 1, "stderr": 1, "tail": _TAIL_LINES}
        try:
            with _door("give the end of a container's output"):
                for chunk in self._log(handle, parameters, self._engine.timeout_seconds):
                    end += chunk
                    del end[:-limit_bytes]
        except ReadTimeoutError as error:
            raise DockerDown("The container engine does not give the end of a container's output.") from error
        return bytes(end)

    def stop(self, handle: str, mode: StopMode, grace_seconds: int) -> None:
        """Stop the container, or kill it; one that does not run or is gone is left as it is."""
        with _door("stop a container", ignoring=(_NOT_FOUND, _CONFLICT)):
            if mode is StopMode.FORCE:
                self._client.kill(handle)
            else:
                self._client.stop(handle, timeout=grace_seconds)

    def remove(self, handle: str) -> None:
        """Remove the container and the volumes that were made for it alone."""
        with _door("remove a container", ignoring=(_NOT_FOUND, _CONFLICT)):
            self._client.remove_container(handle, v=True, force=True)

    def leftovers(self, installation: str, node: str) -> list[Leftover]:
        """List the containers with this installation's and node's labels."""
        labels = [f"{LABEL_INSTALLATION}={installation}", f"{LABEL_NODE}={node}"]
        with _door("list containers"):
            listed = self._client.containers(all=True, filters={"label": labels})
        return [found for entry in listed if (found := container_state.leftover(entry))]

    def size(self, handle: str) -> int:
        """Give the bytes that the container wrote beside its data folder; its output is not counted."""
        with _door("measure a container"):
            listed = self._client.containers(all=True, size=True, filters={"id": handle})
        return sum(entry.get("SizeRw", 0) for entry in listed)

    def images(self) -> list[StoredImage]:
        """List the engine's images."""
        with _door("list images"):
            return images.stored(self._client.images(), self._client.containers(all=True))

    def remove_image(self, image_id: str) -> None:
        """Remove an image that no container uses and that has one name at most."""
        with _door("remove an image", ignoring=(_NOT_FOUND,)):
            self._client.remove_image(image_id, noprune=True)

    def ping(self) -> str:
        """Give the engine's version."""
        with _door("give its version", place=f" at {self._engine.socket}"):
            self._storage = self._storage or Path(self._client.info()["DockerRootDir"])
            return str(self._client.version()["Version"])

    def storage(self) -> Path | None:
        """Give the engine's folder as it told it at the first ping; it may be one of another machine."""
        return self._storage

    def gap(self) -> str | None:
        """Say what tools can reach that they should not, with the cure, or give None; closes the gap where it can."""
        self._has_network = False
        self._ensure_network()
        return self._gap

    @property
    def _client(self) -> Any:
        with self._client_lock:
            if self._shared_client is None:
                self._shared_client = _connected(self._engine)
            return self._shared_client

    def _url(self, path: str) -> str:
        return f"{self._client.base_url}/v{self._client.api_version}{path}"

    def _inspect(self, container: str) -> dict[str, Any] | None:
        with _door("show a container", ignoring=(_NOT_FOUND,)):
            return dict(self._client.inspect_container(container))
        return None

    def _follow(self, handle: str, from_byte: int) -> Iterator[bytes]:
        log = self._log(handle, {"stdout": 1, "stderr": 1, "follow": 1}, _QUIET_SECONDS)
        return skipping(log, from_byte)

    def _log(self, handle: str, parameters: dict[str, int], quiet_seconds: float) -> Iterator[bytes]:
        # The SDK's own method switches the time limit off, and asks the engine a question whose answer we know.
        with self._client.get(
            self._url(f"/containers/{handle}/logs"),
            params=parameters,
            timeout=(self._engine.timeout_seconds, quiet_seconds),
            stream=True,
        ) as response:
            if response.ok:
                yield from payloads(response.raw)
            elif response.status_code not in (_NOT_FOUND, _CONFLICT):
                raise DockerDown(f"The container engine could not give a container's output: {response.reason}.")

    def _find_image(self, image: str) -> dict[str, Any] | None:
        with _door("show an image", ignoring=(_BAD_REQUEST, _NOT_FOUND)):
            return dict(self._client.inspect_image(image))
        return None

    def _image_ids(self) -> set[str]:
        with _door("list images"):
            return set(self._client.images(quiet=True, all=True))

    def _pull(self, image: str) -> None:
        limit = self._engine.pull_deadline_seconds
        began = time.monotonic()
        try:
            with _door("fetch an image"):
                said = self._fetch(image, began + limit)
        except DockerDown:
            if time.monotonic() - began < limit:
                raise
            raise images.too_slow(image, limit) from None
        if said:
            raise images.refusal(image, said)

    def _fetch(self, image: str, deadline: float) -> str:
        # The SDK's own method has no time limit at all.
        repository, tag = images.split_reference(image)
        with self._client.post(
            self._url("/images/create"),
            params={"fromImage": repository, "tag": tag},
            headers=self._login(image, repository),
            timeout=(self._engine.timeout_seconds, max(0.001, deadline - time.monotonic())),
            stream=True,
        ) as response:
            return pull_failure(response, deadline)

    def _login(self, image: str, repository: str) -> dict[str, str]:
        try:
            registry, _ = auth.resolve_repository_name(repository)
            header = auth.get_config_header(self._client, registry)
        except DockerException as error:
            raise images.missing(image, f"its registry cannot be asked: {error}") from error
        return {"X-Registry-Auth": header} if header else {}

    def _ensure_network(self) -> None:
        with self._network_lock:
            if self._has_network:
                return
            name = self._engine.network
            network = self._find_network(name)
            if network is None:
                # Another process may have made it in the meantime; the interface's name forbids a second one.
                with _door("make the tools' network", ignoring=(_FORBIDDEN, _CONFLICT)):
                    self._client.create_network(name, **network_options(name, self._engine.mtu))
                network = self._find_network(name)
            if network is None:
                raise BackendFailed(f"The container engine could not make the network '{name}'.")
            self._gap = firewall.close_bridge(bridge_of(network))
            self._has_network = True

    def _find_network(self, name: str) -> dict[str, Any] | None:
        with _door("show a network", ignoring=(_NOT_FOUND,)):
            return dict(self._client.inspect_network(name))
        return None


def _connected(engine: settings.Docker) -> Any:
    client = docker.APIClient(engine.socket, timeout=engine.timeout_seconds, max_pool_size=_THREADS)
    if engine.socket.startswith(_UNIX):
        address = engine.socket.replace(_UNIX, "http+unix://", 1)
        client.mount("http+docker://", _OnePool(address, engine.timeout_seconds, max_pool_size=_THREADS))
        # No proxy and no ~/.netrc is meant for a socket of this machine, and looking for them takes longer than a call.
        client.trust_env = False
    return client


def _owner_of(data_dir: str | None) -> tuple[int, int]:
    if data_dir is None:
        return NOBODY
    try:
        found = Path(data_dir).stat()
    except OSError as error:
        raise BackendFailed(
            f"The run's data folder cannot be used: {error.strerror}.", cause=Cause.DATA_UNAVAILABLE
        ) from error
    return found.st_uid, found.st_gid


@contextmanager
def _door(asked: str, ignoring: tuple[int, ...] = (), place: str = "") -> Iterator[None]:
    """Translate what the SDK raises while the engine is asked to do what ``asked`` says."""
    try:
        yield
    except APIError as error:  # It is an OSError as well, so it comes first.
        if error.status_code in ignoring:
            return
        if error.is_client_error():
            raise BackendFailed(f"The container engine refuses to {asked}: {error.explanation}") from error
        raise DockerDown(f"The container engine could not {asked}: {error.explanation}") from error
    except ReadTimeoutError:
        raise
    except (OSError, EOFError, HTTPError, DockerException) as error:
        raise DockerDown(
            f"The container engine{place} does not answer.",
            hint="Is it running, and may the agent's user use the socket that the section DOCKER names?",
        ) from error
