"""Requests to the server and its answers: time limits, tries, errors, pages. The only place that uses requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import AuthBase

from cli import __version__
from cli.answers import check, parse_object
from cli.config import Connection
from cli.errors import ServerFailed, Unavailable, Unreached

Json = dict[str, Any]

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
PAGE_ITEMS = 500
PIECE_BYTES = 64 * 2**10
TRIES = 3
FIRST_PAUSE_SECONDS = 0.3
LONGEST_PAUSE_SECONDS = 5.0


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


@dataclass(frozen=True)
class Listing:
    """The first items of a list; ``is_cut`` tells that there are more."""

    items: list[Json]
    is_cut: bool


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
        pause = FIRST_PAUSE_SECONDS
        for _ in range(TRIES - 1):
            try:
                return self._once("GET", path, query=query, accepted=accepted, read_seconds=read_seconds)
            except _Dropped:
                self._sleep(pause)
            except Unavailable as error:
                if error.retry_after_seconds is None:
                    raise
                self._sleep(min(error.retry_after_seconds, LONGEST_PAUSE_SECONDS))
            pause *= 2
        return self._once("GET", path, query=query, accepted=accepted, read_seconds=read_seconds)

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
        items: list[Json] = []
        cursor: object = None
        while True:
            page_query = {**(query or {}), "limit": min(limit - len(items), PAGE_ITEMS), "cursor": cursor}
            page = self.get(path, page_query).json
            items += items_of(page)
            before, cursor = cursor, page.get("next")
            if cursor is None or len(items) >= limit:
                return Listing(items[:limit], cursor is not None or len(items) > limit)
            if cursor == before:
                raise ServerFailed(f"The server's list at {path} does not end.")

    def each(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[Json]:
        """Give every item of a list, however long it is, and hold one page at a time."""
        cursor: object = None
        while True:
            page = self.get(path, {**(query or {}), "limit": PAGE_ITEMS, "cursor": cursor}).json
            yield from items_of(page)
            before, cursor = cursor, page.get("next")
            if cursor is None:
                return
            if cursor == before:
                raise ServerFailed(f"The server's list at {path} does not end.")

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
            raise _unreached(error, self.url, is_change=method != "GET") from error
        if response.status_code not in accepted:
            check(response.status_code, response.headers, response.content)
        return Answer(response.status_code, response.headers, response.content)


def items_of(page: Json) -> list[Json]:
    """Give the items of a page.

    Raises:
        ServerFailed: it has none, not even an empty list.
    """
    items = page.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ServerFailed("The server's answer is not a list of items.")
    return items


class _Dropped(Unreached):
    """The connection was made and then lost, as when the server is being restarted; asking again may help."""


def _unreached(error: requests.RequestException, url: str, *, is_change: bool) -> Unreached:
    """Say why there is no answer. A change may have been carried out unless the connection was never made."""
    in_doubt = "Whether the request was carried out is not known; look before you repeat it." if is_change else None
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
