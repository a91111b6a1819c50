"""E-mail to a real mail server on loopback: with and without encryption and login, and what the server may refuse."""

from __future__ import annotations

import email
import email.policy
import socket
import ssl
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from app.repositories.database import Database
from app.repositories.mail import Mailer
from app.repositories.outgoing_sockets import SendingFailed
from app.services.deliveries import receivers_of
from app.services.messages import email_of
from app.settings import load
from tests.integration.notifications.outbox import Outbox
from tests.integration.notifications.receivers import NAME, Authority, Dripping
from tests.unit.test_messages import a_notification

pytestmark = [
    pytest.mark.usefixtures("names"),
    # The server does not see that all of the connection is encrypted.
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS"),
]
LOGIN = {"smtp_user": "mao", "smtp_password": "s3cret"}


class MailServer(Controller):
    """A mail server that keeps what it gets, refuses ``nobody@example.org``, and knows one login."""

    def __init__(self, *, over_tls: ssl.SSLContext | None = None, **options: Any) -> None:
        self.got: list[tuple[str, list[str], EmailMessage]] = []
        self.logins: list[bytes] = []
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        super().__init__(
            self, hostname="127.0.0.1", port=port, ssl_context=over_tls, authenticator=self._login, **options
        )

    def _login(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: LoginPassword
    ) -> AuthResult:
        self.logins.append(data.password)
        return AuthResult(success=(data.login, data.password) == (b"mao", b"s3cret"), handled=False)

    async def handle_RCPT(self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]) -> str:
        if address == "nobody@example.org":
            return "550 s3cret words of the server"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:
        read = email.message_from_bytes(bytes(envelope.content or b""), policy=email.policy.default)
        assert isinstance(read, EmailMessage)
        self.got.append((str(envelope.mail_from), envelope.rcpt_tos, read))
        return "250 OK"


@pytest.fixture
def serve_mail() -> Iterator[Callable[..., MailServer]]:
    """Start mail servers."""
    made: list[MailServer] = []

    def start(**options: Any) -> MailServer:
        made.append(MailServer(**options))
        made[-1].start()
        return made[-1]

    yield start
    for one in made:
        one.stop()


def settings_of(port: int, authority: Authority, **given: str) -> dict[str, str]:
    known = {"smtp": f"{NAME}:{port}", "email_from": "mao@example.org", "email_to": "olga@example.org"}
    return {**known, "ca_file": str(authority.ca), **given}


def send(folder: Path, given: dict[str, str], to: str = "olga@example.org", seconds: float = 10.0) -> None:
    """Send a message as the agent does."""
    settings = load({f"MAO_NOTIFICATIONS_{key.upper()}": value for key, value in given.items()}, folder).notifications
    Mailer(settings).send(email_of(a_notification(), "n", settings.email_from, to), to, seconds)


def failure(*arguments: Any, **options: Any) -> str:
    with pytest.raises(SendingFailed) as failed:
        send(*arguments, **options)
    assert "s3cret" not in failed.value.message
    return failed.value.message


def test_each_address_gets_its_own_message_that_a_repetition_is_known_by(
    serve_mail: Callable[..., MailServer], authority: Authority, database: Database, tmp_path: Path
) -> None:
    server = serve_mail()
    given = {"email_to": "olga@example.org sven@example.org", "smtp_security": "none"}
    outbox = Outbox(database, tmp_path, **settings_of(server.port, authority, **given))
    assert len(receivers_of(outbox.context.settings.notifications)) == 2
    outbox.add("01A", kind="recovered")
    outbox.send()
    assert {(one.channel, one.target, one.state) for one in outbox.deliveries()} == {
        ("email", "olga@example.org", "delivered"),
        ("email", "sven@example.org", "delivered"),
    }
    assert sorted(to for _, to, _ in server.got) == [["olga@example.org"], ["sven@example.org"]]
    for sender, [to], message in server.got:
        assert (sender, message["To"], message["From"]) == ("mao@example.org", to, "mao@example.org")
        assert message["Subject"] == "[MAO n] recovered: visitors"
        assert message["Message-ID"] == "<01A@example.org>"
        assert message.get_content().startswith("412 where 900 was expected.")
        assert "maoctl metric get visitors" in message.get_content()


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("login", [{}, LOGIN])
def test_what_is_secured_is_sent_so_with_and_without_a_login(
    serve_mail: Callable[..., MailServer], authority: Authority, tmp_path: Path, security: str, login: dict[str, str]
) -> None:
    context = authority.context()
    if security == "tls":
        server = serve_mail(over_tls=context, auth_require_tls=False, auth_required=bool(login))
    else:
        server = serve_mail(tls_context=context, require_starttls=True, auth_required=bool(login))
    send(tmp_path, settings_of(server.port, authority, smtp_security=security, **login))
    assert len(server.got) == 1
    assert server.logins == ([b"s3cret"] if login else [])


def test_a_server_without_starttls_gets_neither_login_nor_message(
    serve_mail: Callable[..., MailServer], authority: Authority, tmp_path: Path
) -> None:
    server = serve_mail(auth_require_tls=False)
    assert "does not offer" in failure(tmp_path, settings_of(server.port, authority, **LOGIN))
    assert (server.got, server.logins) == ([], [])


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_with_another_certificate_gets_nothing(
    serve_mail: Callable[..., MailServer],
    authority: Authority,
    names: dict[str, list[str]],
    tmp_path: Path,
    security: str,
) -> None:
    context = authority.context()
    server = serve_mail(**({"over_tls": context} if security == "tls" else {"tls_context": context}))
    names["other.test"] = ["127.0.0.1"]
    known = {"smtp": f"other.test:{server.port}", "smtp_security": security}
    assert "certificate" in failure(tmp_path, settings_of(server.port, authority, **known))
    assert server.got == []


def test_refusals_are_told_by_their_codes_and_not_in_the_words_of_the_server(
    serve_mail: Callable[..., MailServer], authority: Authority, tmp_path: Path
) -> None:
    server = serve_mail(tls_context=authority.context(), require_starttls=True)
    plain = serve_mail()
    wrong = settings_of(server.port, authority, smtp_user="mao", smtp_password="s3cret-no-more")
    assert failure(tmp_path, wrong) == f"The mail server {NAME} refused the login (535)."
    open_to_all = settings_of(plain.port, authority, smtp_security="none")
    assert (
        failure(tmp_path, open_to_all, to="nobody@example.org") == f"The mail server {NAME} refused the receiver (550)."
    )
    nobody_there = {**open_to_all, "smtp": f"{NAME}:1"}
    assert failure(tmp_path, nobody_there) == f"The mail server {NAME} refuses the connection."


@pytest.mark.parametrize("words", [b"2", b"220-hello\r\n"])
def test_a_server_that_greets_drop_by_drop_is_cut_off(authority: Authority, tmp_path: Path, words: bytes) -> None:
    dripping = Dripping(words)
    given = settings_of(dripping.port, authority, smtp_security="none")
    assert failure(tmp_path, given, seconds=1.0) == f"The mail server {NAME} did not answer in time."
    assert dripping.is_cut.wait(10)
    dripping.close()


def test_a_reply_without_an_end_takes_no_memory_and_is_given_up(authority: Authority, tmp_path: Path) -> None:
    flood = Dripping(b"220-hello\r\n" * 1000)
    given = settings_of(flood.port, authority, smtp_security="none")
    assert failure(tmp_path, given).endswith("cannot be reached, or broke the connection off.")
    assert flood.is_cut.wait(10)
    flood.close()
