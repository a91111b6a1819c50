"""What refused calls are counted by."""

from __future__ import annotations

import pytest

from app.services.refusals import source_of


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "address 192.0.2.1"),
        ("::ffff:192.0.2.1", "address 192.0.2.1"),
        ("2001:db8:0:1::1", "address 2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::2", "address 2001:db8:0:1::/64"),
        ("::1", "address ::/64"),
        ("fe80::1%eth0", "address fe80::/64"),
        (None, "address unknown"),
        ("", "address unknown"),
        ("/run/mao.sock", "address unknown"),
    ],
)
def test_an_address_counts_as_what_its_holder_can_choose_from(address: str | None, source: str) -> None:
    assert source_of(address) == source
