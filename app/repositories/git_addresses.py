"""Which machines git may be sent to.

A repository's address comes from whoever may register one. It must not make this node talk to what listens for the node
itself only: its own services, and the metadata services of clouds. Private ranges stay open, because groups run git
servers of their own in them.
"""

from __future__ import annotations

from app.errors import BackendFailed, RemoteDown
from app.repositories.addresses import Address, NotFoundByName, addresses_of, forbidden_kind

_LOOKUP_SECONDS = 15.0


def looked_up(host: str, port: int, url: str) -> list[Address]:
    """Give the addresses of ``host``, the best first; ``url`` is for the error.

    Raises:
        RemoteDown: nobody knows the name, or not in time.
    """
    try:
        return addresses_of(host, port, _LOOKUP_SECONDS)
    except NotFoundByName as error:
        raise RemoteDown(
            f"The git server of {url} cannot be found: {error}.", hint="Check the host's name, or try again later."
        ) from error


def require_allowed(addresses: list[Address], url: str) -> None:
    """Make sure that git may be sent to every one of ``addresses``.

    Raises:
        BackendFailed: one is not for strangers; which one is not told.
    """
    for address in addresses:
        kind = forbidden_kind(address)
        if kind:
            raise BackendFailed(
                f"The host of the git repository {url} has {kind}, which git is not sent to.",
                cause="data_unavailable",
                hint="Check the address of the entry. For repositories of this machine set git.allow_local.",
            )
