"""Leases in etcd: what keeps keys for as long as somebody renews it, and no longer.

The driver's own lock is not used: it fails as soon as two want it, and it never says that it was lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.errors import AlreadyExists, RegistryDown
from app.repositories.etcd_members import Members, words_of
from app.repositories.kv import Lease


def grant(members: Members, probe: Any, ttl_seconds: int) -> int:
    """Make a lease and give its number; etcd makes one of less than about 2 seconds longer."""
    request = members.messages.LeaseGrantRequest(TTL=ttl_seconds)
    return int(members.write(probe, "leasestub", "LeaseGrant", request).ID)


def create_all(members: Members, probe: Any, entries: Mapping[bytes, bytes], ttl_seconds: int) -> Lease:
    """Store all keys under one new lease, or none of them.

    Raises:
        AlreadyExists: one of the keys is there; the lease is given back.
        RegistryDown: etcd does not answer. Where the answer was lost, the keys may be stored all the same, until the
            lease is over.
    """
    lease = grant(members, probe, ttl_seconds)
    answer = members.write(probe, "kvstub", "Txn", _all_or_nothing(members.messages, entries, lease))
    if not answer.succeeded:
        revoke(members, probe, lease)
        raise AlreadyExists("One of the keys is there already.")
    return Lease(lease, int(answer.header.revision))


def keep_alive(members: Members, lease: int) -> bool:
    """Begin the lease's time anew, and give False where it is over."""
    answer = members.read("leasestub", "LeaseKeepAlive", members.messages.LeaseKeepAliveRequest(ID=lease))
    # Etcd has no error for a lease that it does not know any more: it answers that no time is left.
    return bool(answer.TTL > 0)


def revoke(members: Members, probe: Any, lease: int) -> None:
    """End the lease, and with it its keys; one that is over already is no error."""
    try:
        members.write(probe, "leasestub", "LeaseRevoke", members.messages.LeaseRevokeRequest(ID=lease))
    except RegistryDown as error:
        if "lease not found" not in words_of(error):
            raise


def _all_or_nothing(messages: Any, entries: Mapping[bytes, bytes], lease: int) -> Any:
    keys = sorted(entries)
    return messages.TxnRequest(
        compare=[
            messages.Compare(key=key, target=messages.Compare.CREATE, result=messages.Compare.EQUAL, create_revision=0)
            for key in keys
        ],
        success=[
            messages.RequestOp(request_put=messages.PutRequest(key=key, value=entries[key], lease=lease))
            for key in keys
        ],
    )
