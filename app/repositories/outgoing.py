"""The door to outgoing HTTP: a message is posted to a receiver that the settings name, and to nobody else.

The name is looked up once, every address that it has is judged, and the connection goes to an address that was judged,
with the name in ``Host`` and in TLS, whose certificate must be the name's. No redirect is followed and no proxy asked.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, SSLError

from app.notification_settings import Allowed, Webhook
from app.repositories.addresses import Address, NotFoundByName, addresses_of, forbidden_kind
from app.repositories.outgoing_sockets import ATTEMPT_SECONDS, Attempt, SendingFailed

_LOOKUP_SECONDS = 5.0
_ANSWER_BYTES = 64 * 1024
_GONE = 410
# What of IPv6 is the public internet, and what is not although it lies in there.
_PUBLIC_6 = ip_network("2000::/3")
_SPECIAL_6 = tuple(map(ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_SPECIAL_4 = tuple(map(ip_network, ("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15")))


class Sender:
    """Posts messages to webhooks; ``allowed`` names the internal receivers that may be reached."""

    def __init__(self, allowed: Allowed, ca_file: str = "") -> None:
        self._allowed = allowed
        self._context = ssl.create_default_context()
        if ca_file:
            self._context.load_verify_locations(ca_file)

    def post(self, hook: Webhook, body: bytes, headers: Mapping[str, str], seconds: float = ATTEMPT_SECONDS) -> None:
        """Post ``body``, and return when the receiver has taken it; ``seconds`` is for everything together.

        Raises:
            SendingFailed: it has not, or not in time, or it is a place that must not be reached.
        """
        with Attempt(seconds) as attempt:
            addresses = self._judged(hook, attempt)
            pool = self._pool(hook, attempt, addresses)
            try:
                status = _status(pool, hook, body, headers, attempt)
            except (HTTPError, OSError, ValueError) as error:
                raise SendingFailed(_reason(hook, error, attempt)) from error
            finally:
                pool.close()
        if not 200 <= status < 300:
            raise SendingFailed(f"{hook.host} answered with status {status}.", is_final=status == _GONE)

    def _judged(self, hook: Webhook, attempt: Attempt) -> list[Address]:
        try:
            addresses = addresses_of(hook.host, hook.port, min(_LOOKUP_SECONDS, attempt.left_seconds))
        except NotFoundByName as error:
            raise SendingFailed(f"{hook.host} cannot be found: {error}.") from error
        is_named = (hook.host, hook.port) in self._allowed.places
        for address in () if is_named else addresses:
            if any(address in network for network in self._allowed.networks):
                continue
            if not hook.is_encrypted:
                raise SendingFailed(f"{hook.host} is named with http, which only receivers of webhook_allow may have.")
            if kind := _internal_kind(address):
                raise SendingFailed(f"{hook.host} has {kind}, and is not in webhook_allow.")
        return addresses

    def _pool(self, hook: Webhook, attempt: Attempt, addresses: Sequence[Address]) -> HTTPConnectionPool:
        known: dict[str, Any] = {"host": hook.host, "port": hook.port, "maxsize": 1, "retries": False}
        if not hook.is_encrypted:
            pool = HTTPConnectionPool(**known)
            pool.ConnectionCls = _pinned(HTTPConnection, attempt, addresses)
            return pool
        secured = HTTPSConnectionPool(**known, ssl_context=self._context, cert_reqs="CERT_REQUIRED")
        secured.ConnectionCls = _pinned(HTTPSConnection, attempt, addresses)
        return secured


def _pinned(kind: type[Any], attempt: Attempt, addresses: Sequence[Address]) -> type[Any]:
    """Give a kind of connection that goes to ``addresses``, whatever a name server would say now."""

    class Pinned(kind):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            return attempt.connect(addresses, self.port)

    return Pinned


def _status(pool: HTTPConnectionPool, hook: Webhook, body: bytes, headers: Mapping[str, str], attempt: Attempt) -> int:
    path = urllib3.util.parse_url(hook.url).request_uri
    limit = urllib3.Timeout(total=attempt.left_seconds)
    answer = pool.urlopen(
        "POST", path, body, dict(headers), redirect=False, retries=False, timeout=limit, preload_content=False
    )
    if attempt.is_over:
        # A connection that was cut looks like headers that have come to their end.
        answer.close()
        raise TimeoutError
    try:
        # Read, so that the receiver may finish; what it says is of no use, and how it ends neither.
        answer.read(_ANSWER_BYTES, decode_content=False)
    except (HTTPError, OSError):
        pass
    finally:
        answer.close()
    return answer.status


def _internal_kind(address: Address) -> str:
    """Say why a webhook may not reach an address, as in "a private address"; an empty text where it may."""
    if kind := forbidden_kind(address):
        return kind
    if address.version == 6:
        is_public = address in _PUBLIC_6 and not any(address in network for network in _SPECIAL_6)
    else:
        is_public = address.is_global and not any(address in network for network in _SPECIAL_4)
    return "" if is_public else "a private or reserved address"


def _reason(hook: Webhook, error: Exception, attempt: Attempt) -> str:
    if attempt.is_over:
        return f"{hook.host} did not answer in time."
    if isinstance(error, (ssl.SSLError, SSLError)):
        return f"The connection to {hook.host} cannot be secured: its certificate or its TLS is not accepted."
    # urllib3 wraps what went wrong.
    if any(isinstance(part, ConnectionRefusedError) for part in (error, *error.args)):
        return f"{hook.host} refuses the connection."
    return f"{hook.host} cannot be reached, or broke the connection off."
