"""Requests to the server and its answers: time limits, tries, errors, pages. The only place that uses requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import AuthBase

from cli import __version__
from cli.answers import check, parse_object
from cli.config import Connection
from cli.errors import Unavailable, Unreached
from cli.pages import Listing, every_item, first_items

Json = dict[str, Any]

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
PIECE_BYTES = 64 * 2**10
TRIES = 3
FIRST_PAUSE_SECONDS = 0.3
LONGEST_PAUSE_SECONDS = 5.0
_IN_DOUBT = "Whether the request was carried out is not known"
_LOOK_FIRST = f"{_IN_DOUBT}; look before you repeat it."


@dataclass(frozen=True)
class Answer:
    """An answer of success."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        """The body as a JSON object."""
        return parse_object(self.body)


class _TokenAuth(AuthBase):
    """Show the token. As an ``auth`` and not a header, because else requests would add a password from ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["X-Api-Token"] = self._token
        return request


class Client:
    """Talk to one server. ``adapter`` replaces the network and ``sleep`` the pause between tries, for tests."""

    def __init__(
        self,
        connection: Connection,
        *,
        adapter: BaseAdapter | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = connection.url
        self._sleep = sleep
        self._http = requests.Session()
        self._http.auth = _TokenAuth(connection.token)
        self._http.headers["User-Agent"] = f"maoctl/{__version__}"
        # A proxy from the environment cannot reach a server on this machine's loopback.
        self._http.trust_env = not connection.is_loopback
        self._http.mount(connection.url, adapter or HTTPAdapter())

    def get(
        self,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        accepted: Collection[int] = (),
        read_seconds: float = READ_SECONDS,
    ) -> Answer:
        """Ask, up to three times where the server is for a moment not there: a GET changes nothing.

        Raises:
            Refused, ServerFailed, Unavailable: see ``cli.answers.check``; a status in ``accepted`` passes.
            Unreached: there is no answer.
        """
        once = partial(self._once, "GET", path, query=query, accepted=accepted, read_seconds=read_seconds)
        return self._repeatedly(once, _Dropped)

    def submit(self, path: str, body: Json, key: str) -> Answer:
        """Ask for a run, up to three times where there is no answer: all that is sent with one ``key`` makes one run.

        Raises:
            Refused, ServerFailed, Unavailable: see ``cli.answers.check``.
            Unreached: there is no answer.
        """
        once = partial(self._once, "POST", path, body=body, headers={"Idempotency-Key": key})
        try:
            return self._repeatedly(once, Unreached)
        except (Unreached, Unavailable) as error:
            cure = f"Sent again with --idempotency-key {key}, it makes no second run."
            known = f"{_IN_DOUBT}." if error.hint == _LOOK_FIRST else error.hint
            error.hint = f"{known} {cure}" if known else cure
            raise

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask for a change, once: whether a lost request was carried out cannot be known from here.

        Raises:
            Refused, ServerFailed, Unavailable: see ``cli.answers.check``.
            Unreached: there is no answer.
        """
        return self._once(method, path, query=query, body=body, headers=headers)

    def upload(self, path: str, source: BinaryIO) -> Answer:
        """Send the bytes of a file, piece by piece, once.

        Raises:
            Refused, ServerFailed, Unavailable: see ``cli.answers.check``.
            Unreached: there is no answer.
        """
        return self._once("POST", path, data=source, headers={"Content-Type": "application/octet-stream"})

    def download(self, path: str) -> tuple[Mapping[str, str], Iterator[bytes]]:
        """Ask for the bytes of a file, once, and give the headers of the answer and its body in pieces.

        Raises:
            Refused, ServerFailed, Unavailable: see ``cli.answers.check``.
            Unreached: there is no answer, or, from the iterator, it breaks off.
        """
        try:
            response = self._http.get(
                self.url + path, timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False, stream=True
            )
            if not response.ok:
                check(response.status_code, response.headers, response.content)
        except requests.RequestException as error:
            raise _unreached(error, self.url, is_change=False) from error
        return response.headers, self._pieces(response)

    def list(self, path: str, limit: int, query: Mapping[str, Any] | None = None) -> Listing:
        """Give the first ``limit`` items of a list, page after page."""
        return first_items(lambda page: self.get(path, {**(query or {}), **page}).json, limit)

    def search(self, path: str, limit: int, wanted: Json) -> Listing:
        """Give the first ``limit`` items of what is searched for; a search changes nothing, though it is a POST."""

        def fetch(page: Json) -> Json:
            body = {key: value for key, value in {**wanted, **page}.items() if value is not None}
            return self._repeatedly(partial(self._once, "POST", path, body=body, is_change=False), _Dropped).json

        return first_items(fetch, limit)

    def each(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[Json]:
        """Give every item of a list, however long it is, and hold one page at a time."""
        return every_item(lambda page: self.get(path, {**(query or {}), **page}).json)

    def _repeatedly(self, once: Callable[[], Answer], passing: type[Unreached]) -> Answer:
        """Ask again after an error that is ``passing``, and after the pause that the server asks for."""
        pause = FIRST_PAUSE_SECONDS
        for _ in range(TRIES - 1):
            try:
                return once()
            except passing:
                self._sleep(pause)
            except Unavailable as error:
                if error.retry_after_seconds is None:
                    raise
                self._sleep(min(error.retry_after_seconds, LONGEST_PAUSE_SECONDS))
            pause *= 2
        return once()

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        try:
            yield from response.iter_content(PIECE_BYTES)
        except requests.RequestException as error:
            raise _unreached(error, self.url, is_change=False) from error

    def _once(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Json | None = None,
        data: BinaryIO | None = None,
        headers: Mapping[str, str] | None = None,
        accepted: Collection[int] = (),
        read_seconds: float = READ_SECONDS,
        is_change: bool = True,
    ) -> Answer:
        try:
            response = self._http.request(
                method,
                self.url + path,
                params=dict(query or {}),
                json=body,
                data=data,
                headers=dict(headers or {}),
                timeout=(CONNECT_SECONDS, read_seconds),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise _unreached(error, self.url, is_change=is_change and method != "GET") from error
        if response.status_code not in accepted:
            check(response.status_code, response.headers, response.content)
        return Answer(response.status_code, response.headers, response.content)


class _Dropped(Unreached):
    """The connection was made and then lost, as when the server is being restarted; asking again may help."""


def _unreached(error: requests.RequestException, url: str, *, is_change: bool) -> Unreached:
    """Say why there is no answer. A change may have been carried out unless the connection was never made."""
    in_doubt = _LOOK_FIRST if is_change else None
    cause = _root_cause(error)
    if isinstance(error, requests.exceptions.SSLError):
        return Unreached(f"The server at {url} shows no certificate that can be trusted.")
    if isinstance(error, requests.ConnectTimeout):
        return Unreached(f"The server at {url} cannot be reached: no answer within {CONNECT_SECONDS:.0f} s.")
    if isinstance(error, requests.ReadTimeout):
        return Unreached(f"The server at {url} was reached, but did not answer in time.", hint=in_doubt)
    if isinstance(cause, ConnectionRefusedError):
        return Unreached(
            f"No server listens at {url}.", hint="Start one with `mao up`, or name another with --url or MAO_URL."
        )
    if isinstance(cause, ConnectionError) or isinstance(error, requests.exceptions.ChunkedEncodingError):
        return _Dropped(f"The server at {url} dropped the connection.", hint=in_doubt)
    reason = getattr(cause, "strerror", None) or type(cause).__name__
    return Unreached(f"The server at {url} cannot be reached: {reason}.", hint=in_doubt)


def _root_cause(error: BaseException) -> BaseException:
    """Give the innermost cause; requests wraps the operating system's error several times."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return error
