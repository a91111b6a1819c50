"""The door to e-mail: one message is handed to the mail server that the settings name.

Encryption that the settings ask for is never left out, and the server's certificate must be its name's.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from email.message import EmailMessage
from typing import Any, BinaryIO

from app.notification_settings import NotificationSettings
from app.repositories.addresses import NotFoundByName, addresses_of
from app.repositories.outgoing_sockets import ATTEMPT_SECONDS, Attempt, SendingFailed

_LOOKUP_SECONDS = 5.0
_REPLY_BYTES = 64 * 1024


class Mailer:
    """Hands e-mail to the server of the settings, which must name one."""

    def __init__(self, settings: NotificationSettings) -> None:
        self._settings = settings
        self._host, self._port = settings.mail_server
        self._context = ssl.create_default_context()
        if settings.ca_file:
            self._context.load_verify_locations(settings.ca_file)

    def send(self, message: EmailMessage, to: str, seconds: float = ATTEMPT_SECONDS) -> None:
        """Send ``message`` to one address, and return when the server has taken it; ``seconds`` is for everything.

        Raises:
            SendingFailed: it has not, or not in time.
        """
        with Attempt(seconds) as attempt:
            try:
                self._send(message, to, attempt)
            except NotFoundByName as error:
                raise SendingFailed(f"The mail server {self._host} cannot be found: {error}.") from error
            except (smtplib.SMTPException, OSError, ValueError) as error:
                raise SendingFailed(self._reason(error, attempt)) from error

    def _send(self, message: EmailMessage, to: str, attempt: Attempt) -> None:
        server = self._connected(attempt)
        try:
            if self._settings.smtp_security == "starttls":
                server.starttls(context=self._context)
            if self._settings.smtp_user:
                server.login(self._settings.smtp_user, self._settings.smtp_password)
            server.send_message(message, self._settings.email_from, [to])
        except BaseException:
            server.close()
            raise
        try:
            server.quit()
        except (smtplib.SMTPException, OSError):
            # The server has taken the message; how it says goodbye changes nothing.
            server.close()

    def _connected(self, attempt: Attempt) -> smtplib.SMTP:
        # Left to itself, the library asks a name server for this machine's name, without any limit.
        our_name = self._settings.email_from.partition("@")[2]
        limits: dict[str, Any] = {"attempt": attempt, "timeout": attempt.left_seconds, "local_hostname": our_name}
        if self._settings.smtp_security == "tls":
            return _Secured(self._host, self._port, context=self._context, **limits)
        return _Plain(self._host, self._port, **limits)

    def _reason(self, error: Exception, attempt: Attempt) -> str:
        server = f"The mail server {self._host}"
        if attempt.is_over:
            return f"{server} did not answer in time."
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            codes = {code for code, _ in error.recipients.values()}
            return f"{server} refused the receiver ({min(codes, default=0)})."
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return f"{server} refused the login ({error.smtp_code})."
        if isinstance(error, smtplib.SMTPResponseException):
            return f"{server} refused the message ({error.smtp_code})."
        if isinstance(error, smtplib.SMTPNotSupportedError):
            return f"{server} does not offer what the settings ask for: encryption, or a login."
        if isinstance(error, ssl.SSLError):
            return f"The connection to {self._host} cannot be secured: its certificate or its TLS is not accepted."
        if isinstance(error, ConnectionRefusedError):
            return f"{server} refuses the connection."
        return f"{server} cannot be reached, or broke the connection off."


class _Plain(smtplib.SMTP):
    """A connection that the attempt makes, and cuts."""

    def __init__(self, host: str, port: int, *, attempt: Attempt, **options: Any) -> None:
        self._attempt = attempt
        super().__init__(host, port, **options)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        addresses = addresses_of(host, port, min(_LOOKUP_SECONDS, self._attempt.left_seconds))
        return self._attempt.connect(addresses, port)

    def getreply(self) -> tuple[int, bytes]:
        """Give a reply of the server. The library would keep as many lines as the server cares to send.

        Raises:
            SMTPServerDisconnected: the reply is too long.
        """
        if self.file is None and self.sock is not None:
            self.file = _Short(self.sock.makefile("rb"))
        if isinstance(self.file, _Short):
            self.file.left_bytes = _REPLY_BYTES
        return super().getreply()


class _Short:
    """What is read from a server, but no more than ``left_bytes``; then it is as if the server had gone."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.left_bytes = _REPLY_BYTES

    def readline(self, limit: int) -> bytes:
        """Give the next line, or nothing when there has been enough."""
        line = self._stream.readline(min(limit, self.left_bytes))
        self.left_bytes -= len(line)
        return line

    def close(self) -> None:
        """Read no more."""
        self._stream.close()


class _Secured(smtplib.SMTP_SSL, _Plain):
    """The same, encrypted from its first byte: SMTP_SSL puts TLS around what the next class connects."""

    def __init__(self, host: str, port: int, *, attempt: Attempt, **options: Any) -> None:
        self._attempt = attempt
        super().__init__(host, port, **options)
