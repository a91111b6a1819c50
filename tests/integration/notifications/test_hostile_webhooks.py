"""Addresses of webhooks that try to reach what only this machine should: none of them makes a connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.clones.test_hostile_addresses import NEAR, Ear
from tests.integration.clones.watched import watch_driver

FORBIDDEN = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1"),
    *("100.64.0.1", "100.127.255.255", "169.254.169.254", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("168.63.129.16", "100.100.100.200"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::ffff:0:7f00:1"),
    *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::1", "2001:db8::1"),
    *("2002:7f00:1::", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1"),
    *("ff02::1", "ff0e::1"),
]
TRICKS = [
    *("https://user@127.0.0.1:PORT/x", "https://9.9.9.9@127.0.0.1:PORT/x", "https://127.0.0.1:PORT#@9.9.9.9/"),
    *("https://9.9.9.9:PORT@127.0.0.1:PORT/", "https://127.0.0.1:PORT\\.example.org/", "https:127.0.0.1:PORT/x"),
    *("https:///127.0.0.1:PORT/x", "//127.0.0.1:PORT/x", "https://127.0.0.1:PORT%2f@h/", "https://[127.0.0.1]:PORT/x"),
    *("https://[::ffff:127.0.0.1%25eth0]:PORT/x", "https://[v1.127.0.0.1]:PORT/x", "gopher://127.0.0.1:PORT/_x"),
    *(
        "file:///etc/passwd",
        "unix:///run/docker.sock",
        "https+unix://x/",
        "https://127.0.0.1\t:PORT/",
        "https://0x7f.1:PORT/",
    ),
    *("https://localhost:PORT/x", "https://ip6-localhost:PORT/x", "http://localhost:PORT/x", "http://[::1]:PORT/x"),
]


@pytest.fixture
def ear() -> Iterator[Ear]:
    with closing(Ear()) as ear:
        yield ear


def test_no_hostile_webhook_makes_a_connection(ear: Ear, tmp_path: Path) -> None:
    names = {f"name-{number}.test": address for number, address in enumerate(FORBIDDEN)}
    literal = [f"[{address}]" if ":" in address else address for address in FORBIDDEN]
    hosts = [f"{scheme}://{host}:PORT/x" for host in (*literal, *names) for scheme in ("https", "http")]
    urls = [url.replace("PORT", str(ear.port)) for url in (*hosts, *TRICKS, *NEAR)]
    watched = watch_driver(
        "tests.integration.notifications.hostile_driver", tmp_path, urls, {"urls": urls, "names": names}
    )
    assert len(watched.results) == len(urls) > 200
    for url, result in zip(urls, watched.results, strict=True):
        assert result["post"].startswith(("Invalid: ", "SendingFailed: ")), (url, result)
    assert {place for place in watched.connections if place[1] != 53} == set()
    assert ear.heard == 0
