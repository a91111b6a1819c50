"""The addresses of hosts on the network: looked up once, within a time, and judged.

Whoever connects afterwards connects to the address that was judged. A name server that says something else to the next
question changes nothing.
"""

from __future__ import annotations

import queue
import re
import socket
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

_MOST_ADDRESSES = 8
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)")
_THIS_NETWORK = ip_network("0.0.0.0/8")
# Forms of IPv6 that carry an address of IPv4 in their last 32 bits.
_CARRIERS = (IPv6Network("::/96"), IPv6Network("::ffff:0:0:0/96"), IPv6Network("64:ff9b::/96"))
# Clouds keep these outside of 169.254.0.0/16.
_METADATA = {ip_address("fd00:ec2::254"), ip_address("100.100.100.200"), ip_address("168.63.129.16")}


class NotFoundByName(Exception):
    """Nobody knows the name, or not in time; the text says which, as the end of a sentence."""


def literal(host: str) -> Address | None:
    """Give the address that ``host`` is, without brackets or in them; None for a name."""
    try:
        return ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def is_odd_number(host: str) -> bool:
    """Tell whether ``host`` is an address in a form that programs read differently (``127.1``, ``0x7f000001``)."""
    return _NUMERIC.fullmatch(host) is not None and literal(host) is None


def forbidden_kind(address: Address) -> str:
    """Say what speaks against an address, as in "a loopback address"; an empty text where nothing does."""
    for inner in (address, *_carried(address)):
        if inner.is_loopback:
            return "a loopback address"
        if inner.is_unspecified or (inner.version == 4 and inner in _THIS_NETWORK):
            return "an unspecified address"
        if inner.is_link_local:
            return "a link-local address"
        if inner.is_multicast or (inner.version == 4 and inner.is_reserved):
            return "a multicast or reserved address"
        if inner in _METADATA:
            return "the address of a metadata service"
    return ""


def addresses_of(host: str, port: int, seconds: float) -> list[Address]:
    """Give the addresses of ``host``, the best first; a name server is given ``seconds`` to answer.

    Raises:
        NotFoundByName: nobody knows the name, or not in time.
    """
    address = literal(host)
    if address:
        return [address]
    answers: queue.Queue[list[str] | str] = queue.Queue()
    # The system's resolver knows no time limit, so it is waited for from outside.
    threading.Thread(target=_ask, args=(host, port, answers), daemon=True).start()
    try:
        found = answers.get(timeout=seconds)
    except queue.Empty:
        found = "the name server took too long"
    if isinstance(found, str):
        raise NotFoundByName(found)
    return [ip_address(text.partition("%")[0]) for text in found[:_MOST_ADDRESSES]]


def _ask(host: str, port: int, answers: queue.Queue[list[str] | str]) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        answers.put(getattr(error, "strerror", None) or "its name cannot be looked up")
        return
    answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))


def _carried(address: Address) -> Iterator[Address]:
    """Give the addresses of IPv4 that one of IPv6 stands for."""
    if isinstance(address, IPv4Address):
        return
    for inner in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())):
        if inner is not None:
            yield inner
    # ::1 and :: are in the first of these networks, and mean themselves.
    if any(address in network for network in _CARRIERS) and int(address) > 1:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
