"""``maoctl token``: who may do what."""

from __future__ import annotations

import click

from cli.bodies import given
from cli.session import Session
from cli.times import parse_deadline
from cli.verbs import noun, verb

token = noun("token", "Make and revoke tokens; see what one's own allows.")


@verb(token, "whoami", "token whoami")
def whoami(session: Session) -> None:
    """Show whom the server takes you for, and what you may do."""
    session.printer.item(session.server.whoami())


@verb(
    token,
    "create",
    "token create ci --permission job_submit --permission job_run_read --expires 90d > ci.token",
)
@click.argument("identifier")
@click.option("--permission", "permissions", multiple=True, required=True, help="What it allows. Repeatable.")
@click.option("--owner", help="Whose runs it reaches; else your own.")
@click.option("--expires", metavar="WHEN", help="An instant with a zone, or a length of time from now (90d).")
def create(
    session: Session, identifier: str, permissions: tuple[str, ...], owner: str | None, expires: str | None
) -> None:
    """Make a token and print it, this once.

    An identifier that exists gets a new secret, and the old one is worthless from then on. You can grant only what
    you hold yourself.
    """
    expires_at = parse_deadline(expires, "--expires") if expires else None
    body = {"permissions": list(permissions), **given({"owner": owner, "expiresAt": expires_at})}
    created = session.server.create_token(identifier, body)
    session.printer.message(str(created.get("token")), created)
    session.note(f"Token '{identifier}' is made. It is not shown again: keep it in a file that only you can read.")


@verb(token, "revoke", "token revoke ci")
@click.argument("identifier")
def revoke(session: Session, identifier: str) -> None:
    """Make a token worthless."""
    session.server.revoke_token(identifier)
    session.printer.message(f"Token '{identifier}' is revoked.", {"identifier": identifier, "isRevoked": True})
