"""``maoctl token``: who may do what."""

from __future__ import annotations

import click

from cli.bodies import given
from cli.session import Session
from cli.times import parse_deadline
from cli.verbs import length_option, limit_option, noun, verb

token = noun("token", "Make, rotate and revoke tokens; see what one's own allows.")

COLUMNS = {
    "identifier": "TOKEN",
    "owner": "OWNER",
    "permissions": "PERMISSIONS",
    "createdBy": "MADE BY",
    "createdTime": "MADE",
    "expiresAt": "EXPIRES",
    "lastUsedTime": "LAST USED",
}


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


@verb(token, "list", "token list", "token list --limit 1000 -o csv")
@limit_option
def list_tokens(session: Session, limit: int) -> None:
    """List the tokens that you can reach: your owner's, or everybody's with registry_admin."""
    session.print_listing(session.server.list_tokens(limit), COLUMNS)


@verb(token, "rotate", "token rotate ci --overlap 1h > ci.token")
@click.argument("identifier")
@length_option("--overlap", "overlap_seconds", "Let the old secret count for so long, at most a day; else not at all.")
def rotate(session: Session, identifier: str, overlap_seconds: int | None) -> None:
    """Give a token a new secret and print it, this once; permissions, owner and expiry stay.

    A token may rotate itself. Where maoctl.ini holds the token, write the new one there.
    """
    rotated = session.server.rotate_token(identifier, overlap_seconds or 0)
    session.printer.message(str(rotated.get("token")), rotated)
    session.note(f"Token '{identifier}' has a new secret. It is not shown again.")


@verb(token, "revoke", "token revoke ci")
@click.argument("identifier")
def revoke(session: Session, identifier: str) -> None:
    """Make a token worthless."""
    session.server.revoke_token(identifier)
    session.printer.message(f"Token '{identifier}' is revoked.", {"identifier": identifier, "isRevoked": True})
