"""The members of an etcd cluster, as one process sees them: connections, failover, and errors in our words."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from app.errors import Invalid, MaoError, RegistryDown
from app.repositories import etcd_compat
from app.settings import Etcd

_log = logging.getLogger(__name__)

_CHANNEL_OPTIONS = [
    # gRPC's own back-off grows to two minutes; a registry that is back must be found within about a second.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A frozen server closes no connection. Only these pings find out, for calls and watches alike.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    # The default of 4 MB is less than one page of large entries.
    ("grpc.max_receive_message_length", 128 * 2**20),
]
_STOP_POLL_SECONDS = 0.1
_SHORTEST_CALL_SECONDS = 0.05
_EXCHANGES = {"LeaseKeepAlive"}
"""Methods that take and give streams; of these we send one request and want the one answer to it."""

_WORTH_ANOTHER_MEMBER = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN"}
_HINT_ADDRESS = "Check that etcd runs and that the address in section ETCD of the settings is right."


@dataclass(frozen=True)
class Endpoint:
    """Where one member listens."""

    host: str
    port: int


def checked_endpoints(settings: Etcd) -> tuple[Endpoint, ...]:
    """Read ``host:port``, several with commas between them; empty text gives none.

    Raises:
        Invalid: a part is not ``host:port``, or half of a login or of a certificate is missing.
    """
    if bool(settings.user) != bool(settings.password):
        raise Invalid("Section ETCD has a user without a password, or a password without a user.")
    if bool(settings.cert) != bool(settings.key) or (settings.cert and not settings.ca_cert):
        raise Invalid(
            "Section ETCD has a part of a certificate only.", hint="cert and key need each other and ca_cert."
        )
    return tuple(_endpoint(part.strip()) for part in settings.address.split(",") if part.strip())


def _endpoint(text: str) -> Endpoint:
    host, colon, port = text.rpartition(":")
    if not (colon and host and "/" not in host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise Invalid(
            f"'{text[:80]}' is not an address of etcd.",
            fields={"ETCD.address": ["Must be host:port, several with commas between them."]},
            hint="Write it like 127.0.0.1:2379; certificates are named by ca_cert, cert and key.",
        )
    return Endpoint(host, int(port))


class Member:
    """One member and the connection to it, which is made on the first call."""

    def __init__(self, driver: etcd_compat.Driver, endpoint: Endpoint, settings: Etcd) -> None:
        self._driver = driver
        self._endpoint = endpoint
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Any = None

    def __str__(self) -> str:
        return f"{self._endpoint.host}:{self._endpoint.port}"

    def call(self, service: str, method: str, request: Any, timeout_seconds: float) -> Any:
        """Make one call and give its answer; a failure is the driver's own error."""
        client = self._connected(timeout_seconds)
        # The token travels in the metadata only: gRPC refuses call credentials on a connection without TLS.
        ask = getattr(getattr(client, service), method)
        try:
            if method in _EXCHANGES:
                return _first(ask(iter([request]), timeout=timeout_seconds, metadata=client.metadata))
            return ask(request, timeout=timeout_seconds, metadata=client.metadata)
        except self._driver.error as error:
            # A new connection brings a new token. The old one is not closed: other threads may be using it.
            if _is_token_refused(error) and self._client is client:
                self._client = None
            raise

    def open_watch(self, requests: Iterator[Any], timeout_seconds: float, connect_seconds: float) -> Any:
        """Begin a stream of watch responses that ends by itself after ``timeout_seconds``."""
        client = self._connected(connect_seconds)
        stub = self._driver.messages.WatchStub(client.channel)
        return stub.Watch(requests, timeout=timeout_seconds, metadata=client.metadata)

    def _connected(self, timeout_seconds: float) -> Any:
        if (client := self._client) is not None:
            return client
        # Fetching a token blocks, so a thread that waits for another's attempt has its own limit.
        if not self._lock.acquire(timeout=timeout_seconds):
            raise RegistryDown("The registry (etcd) lets nobody log in.", hint=_HINT_ADDRESS)
        try:
            if self._client is None:
                self._client = self._connect(timeout_seconds)
            return self._client
        finally:
            self._lock.release()

    def _connect(self, timeout_seconds: float) -> Any:
        s = self._settings
        try:
            return self._driver.connect(
                host=self._endpoint.host,
                port=self._endpoint.port,
                ca_cert=s.ca_cert or None,
                cert_cert=s.cert or None,
                cert_key=s.key or None,
                user=s.user or None,
                password=s.password or None,
                timeout=timeout_seconds,
                grpc_options=_CHANNEL_OPTIONS,
            )
        except OSError as error:
            raise RegistryDown(
                f"A certificate for the registry (etcd) cannot be read: {error.strerror}.",
                hint="Check ca_cert, cert and key in section ETCD.",
            ) from error


class Members:
    """All members. A call goes to the one that answered last; the others step in when it does not answer."""

    def __init__(self, endpoints: tuple[Endpoint, ...], settings: Etcd) -> None:
        self._driver = etcd_compat.load()
        self._timeout_seconds = settings.timeout_seconds
        self._members = [Member(self._driver, endpoint, settings) for endpoint in endpoints]
        self._preferred = 0

    @property
    def messages(self) -> Any:
        """The classes that requests are built from."""
        return self._driver.messages

    def read(self, service: str, method: str, request: Any) -> Any:
        """Make a call that may be repeated, on each member in turn until one answers.

        Raises:
            RegistryDown: none answered within the time limit of the settings.
        """
        return self._ask(service, method, request, time.monotonic() + self._timeout_seconds)[1]

    def write(self, probe: Any, service: str, method: str, request: Any) -> Any:
        """Make a call that is sent once only, to a member that has just answered the range request ``probe``.

        It is never repeated, because a write that was cut off may have been stored all the same.

        Raises:
            RegistryDown: none answered within the time limit, or the answer to the write was lost.
        """
        deadline = time.monotonic() + self._timeout_seconds
        member, _ = self._ask("kvstub", "Range", probe, deadline)
        try:
            return member.call(service, method, request, max(deadline - time.monotonic(), _SHORTEST_CALL_SECONDS))
        except self._driver.error as error:
            raise _translated(error, is_write=True) from error

    def watch(self, request: Any, stop: threading.Event, timeout_seconds: float) -> Iterator[Any]:
        """Give the responses of one watch until ``stop`` is set, the time is over or the stream breaks.

        Raises:
            RegistryDown: the stream broke.
        """
        ended = threading.Event()

        def requests() -> Iterator[Any]:
            # etcd ends the watch when the requests end, so they last as long as the watch.
            yield request
            ended.wait()

        try:
            stream = self._members[self._preferred].open_watch(requests(), timeout_seconds, self._timeout_seconds)
            canceller = threading.Thread(target=_cancel_on, args=(stop, ended, stream.cancel), daemon=True)
            canceller.start()
            try:
                yield from stream
            finally:
                stream.cancel()
        except self._driver.error as error:
            if not stop.is_set() and _code(error) != "DEADLINE_EXCEEDED":
                raise _translated(error) from error
        finally:
            ended.set()

    def _ask(self, service: str, method: str, request: Any, deadline: float) -> tuple[Member, Any]:
        first, count = self._preferred, len(self._members)
        failure: MaoError = RegistryDown("No registry (etcd) is configured.", hint=_HINT_ADDRESS)
        # The first is asked once more at the end: it may only have closed an idle connection or refused an old token.
        for attempt in range(count + 1 if count else 0):
            left = deadline - time.monotonic()
            if attempt and left < _SHORTEST_CALL_SECONDS:
                break
            place = (first + attempt) % count
            member = self._members[place]
            try:
                answer = member.call(service, method, request, left / max(1, count - attempt))
            except self._driver.error as error:
                failure = self._judged(member, error)
            except RegistryDown as error:
                failure = error
            else:
                self._preferred = place
                return member, answer
        raise failure

    def _judged(self, member: Member, error: Any) -> MaoError:
        """Give the failure to report if no other member answers; raise what no other member would answer better."""
        failure = _translated(error)
        if _code(error) not in _WORTH_ANOTHER_MEMBER and not _is_token_refused(error):
            raise failure from error
        _log.warning("etcd at %s: %s %s", member, _code(error), error.details())
        return failure


def words_of(error: RegistryDown) -> str:
    """Give etcd's own words about a failure, empty where it said nothing."""
    details = getattr(error.__cause__, "details", None)
    return str(details() or "") if callable(details) else ""


def _first(answers: Iterator[Any]) -> Any:
    for answer in answers:
        return answer
    raise RegistryDown("The registry (etcd) ended a call without an answer.", hint=_HINT_ADDRESS)


def _cancel_on(stop: threading.Event, ended: threading.Event, cancel: Callable[[], Any]) -> None:
    while not ended.wait(_STOP_POLL_SECONDS):
        if stop.is_set():
            cancel()
            return


def _code(error: Any) -> str:
    return str(error.code().name)


def _is_token_refused(error: Any) -> bool:
    return _code(error) == "UNAUTHENTICATED" or "auth store is old" in (error.details() or "")


def _translated(error: Any, *, is_write: bool = False) -> MaoError:
    """Put a gRPC error into our words; the text of the server stays in the log."""
    code, details = _code(error), error.details() or ""
    # The first is etcd's own limit, the second that of its connection.
    if is_write and ("request is too large" in details or "larger than max" in details):
        return Invalid("The entry is larger than the registry (etcd) accepts.")
    if code in ("PERMISSION_DENIED", "UNAUTHENTICATED") or "auth" in details or "user name is empty" in details:
        return RegistryDown(
            "The registry (etcd) refuses this installation's login.",
            hint="Check user and password in section ETCD, and that the user may read and write below /mao.",
        )
    if "space exceeded" in details:
        return RegistryDown(
            "The registry (etcd) has no space left for changes.",
            hint="Compact and defragment etcd, then disarm its NOSPACE alarm; `etcdctl alarm list` shows it.",
        )
    message = "The registry (etcd) does not answer."
    if is_write:
        message += " The change was sent but not confirmed: read the entry before you try again."
    return RegistryDown(message, hint=_HINT_ADDRESS)
