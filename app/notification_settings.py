"""The settings of notifications: which receivers there are, and whether what is said of them can work.

What cannot work is refused at the start: a receiver that nobody can reach is silence where an alarm was expected.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import ssl
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from app.errors import Invalid, nearest

_SECURITIES = ("none", "starttls", "tls")
_MOST_RECEIVERS = 20
_SECRET_BYTES = (24, 64)
_SECRET_PREFIX = "whsec_"  # noqa: S105 - it marks a secret, and is none.
_NEW_SECRET = "Make one: echo whsec_$(openssl rand -base64 32)"  # noqa: S105 - how to make one.
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9a-fA-F:]*:[0-9a-fA-F:.]*")
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
_URL = re.compile(r"[\x21-\x7e]{1,2000}")


@dataclass(frozen=True)
class Webhook:
    """A receiver of messages by HTTP. ``target`` names it without what may be secret in its address."""

    url: str = field(repr=False)
    host: str
    port: int
    is_encrypted: bool

    @property
    def target(self) -> str:
        """The host, and enough of a hash of the whole address to tell two of one host apart."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == (443 if self.is_encrypted else 80) else f":{self.port}"
        return f"{host}{port}#{hashlib.sha256(self.url.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Allowed:
    """The internal receivers that webhooks may reach: ``places`` as host and port, and whole ``networks``."""

    places: frozenset[tuple[str, int]]
    networks: tuple[IPv4Network | IPv6Network, ...]

    def may_reach(self, hook: Webhook) -> bool:
        """Tell whether a receiver may be reached, as far as its address says so; what a name has is judged later."""
        if (hook.host, hook.port) in self.places:
            return True
        try:
            address = ip_address(hook.host)
        except ValueError:
            return hook.is_encrypted or bool(self.networks)
        return any(address in network for network in self.networks) or (hook.is_encrypted and address.is_global)


@dataclass(frozen=True)
class NotificationSettings:
    """Who is told of spikes and incidents beside the federation and the log. Lists are separated by white space.

    ``webhooks`` are addresses, ``webhook_secrets`` what messages to them are signed with (several while they are
    changed), ``webhook_allow`` internal receivers as ``host:port`` or network. ``smtp`` is ``host:port``;
    ``smtp_security`` one of none, starttls and tls. ``ca_file`` holds certificates that count beside the system's.
    """

    webhooks: str = field(default="", repr=False)
    webhook_secrets: str = field(default="", repr=False)
    webhook_allow: str = ""
    smtp: str = ""
    smtp_security: str = "starttls"
    smtp_user: str = ""
    smtp_password: str = field(default="", repr=False)
    email_from: str = ""
    email_to: str = ""
    ca_file: str = ""
    give_up_hours: float = 72.0

    @property
    def receivers(self) -> tuple[Webhook, ...]:
        """The webhooks, each once."""
        return tuple(dict.fromkeys(_webhook(url) for url in self.webhooks.split()))

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The secrets as bytes."""
        return tuple(_key(secret) for secret in self.webhook_secrets.split())

    @property
    def allowed(self) -> Allowed:
        """The internal receivers that may be reached."""
        entries = self.webhook_allow.split()
        networks = tuple(network for entry in entries if (network := _network(entry)) is not None)
        places = frozenset(_place("webhook_allow", entry) for entry in entries if _network(entry) is None)
        return Allowed(places, networks)

    @property
    def mail_server(self) -> tuple[str, int]:
        """Host and port of the mail server."""
        return _place("smtp", self.smtp)

    @property
    def mailboxes(self) -> tuple[str, ...]:
        """Who gets e-mail, each once."""
        return tuple(dict.fromkeys(self.email_to.split()))

    def check(self) -> None:
        """Make sure that messages can be sent with these settings.

        Raises:
            Invalid: they cannot; no message repeats an address of a webhook or a secret.
        """
        if len(self.receivers) > _MOST_RECEIVERS or len(self.mailboxes) > _MOST_RECEIVERS:
            raise Invalid(
                f"NOTIFICATIONS names more than {_MOST_RECEIVERS} receivers of one kind.",
                hint="Name a mailing list, or one receiver that tells the others.",
            )
        allowed = self.allowed
        if unreachable := [hook for hook in self.receivers if not allowed.may_reach(hook)]:
            host = unreachable[0].host
            cure = (
                f"Add {host} with its port to webhook_allow, if it may be reached; or use https and a public address."
            )
            raise _refused(f"the webhook {unreachable[0].target} is internal or without https, and not allowed", cure)
        if self.receivers and not self.keys:
            raise _refused("webhooks is set and webhook_secrets is not", _NEW_SECRET)
        if not 0 < self.give_up_hours <= 8760:
            raise _refused("give_up_hours is not between 0 and 8760", "Leave it at 72.")
        if self.ca_file:
            _check_certificates(self.ca_file)
        self._check_mail()

    def _check_mail(self) -> None:
        if self.smtp_security not in _SECURITIES:
            cure = nearest(self.smtp_security, _SECURITIES) or f"Use one of {', '.join(_SECURITIES)}."
            raise _refused(f"{shown(self.smtp_security)} is not a value for smtp_security", cure)
        named = {"smtp": self.smtp, "email_from": self.email_from, "email_to": self.email_to}
        missing = [key for key, value in named.items() if not value]
        if missing and len(missing) < len(named):
            raise _refused(f"e-mail needs {missing[0]} too", "Set smtp, email_from and email_to, or none of them.")
        for address in (*self.email_from.split(), *self.mailboxes):
            if not _MAILBOX.fullmatch(address):
                raise _refused(
                    f"{shown(address)} is not an address of e-mail", "Write it as name@host, without a name."
                )
        if len(self.email_from.split()) > 1:
            raise _refused("email_from names several addresses", "Name one; only email_to takes several.")
        if self.smtp:
            _ = self.mail_server
        if bool(self.smtp_user) != bool(self.smtp_password):
            raise _refused("smtp_user and smtp_password belong together", "Set both, or none of them.")
        if not f"{self.smtp_user}{self.smtp_password}".isascii():
            cure = "Give the agent a login of its own at the mail server, of ASCII characters only."
            raise _refused("the login in smtp_user and smtp_password has characters that are not ASCII", cure)
        if self.smtp_user and self.smtp_security == "none":
            raise _refused("the login would travel unencrypted", "Set smtp_security to starttls or tls.")


def _refused(what: str, cure: str) -> Invalid:
    return Invalid(f"In section NOTIFICATIONS, {what}.", hint=cure)


def _webhook(url: str) -> Webhook:
    parts = _split(url)
    if parts is None or parts.scheme not in ("https", "http") or not parts.hostname:
        raise _refused("an address in webhooks is none", "Write each as https://host/path, separated by white space.")
    if "@" in parts.netloc or "\\" in url:
        raise _refused("an address in webhooks holds a login", "Put what is secret into its path, or leave it out.")
    if not _HOST.fullmatch(parts.hostname) or parts.fragment:
        raise _refused("an address in webhooks has an odd host or a fragment", "Write each as https://host/path.")
    is_encrypted = parts.scheme == "https"
    return Webhook(url, parts.hostname, parts.port or (443 if is_encrypted else 80), is_encrypted)


def _split(url: str) -> SplitResult | None:
    if not _URL.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        return parts if parts.port != 0 else None
    except ValueError:
        return None


def _key(secret: str) -> bytes:
    is_encoded = secret.startswith(_SECRET_PREFIX)
    try:
        text = secret.removeprefix(_SECRET_PREFIX)
        key = base64.b64decode(text, validate=True) if is_encoded else text.encode()
    except binascii.Error as error:
        raise _refused("a secret in webhook_secrets is not base64 behind whsec_", "Copy it again, whole.") from error
    if not _SECRET_BYTES[0] <= len(key) <= _SECRET_BYTES[1]:
        size = f"{_SECRET_BYTES[0]} to {_SECRET_BYTES[1]} bytes"
        raise _refused(f"a secret in webhook_secrets does not have {size}", _NEW_SECRET)
    return key


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    if "/" not in entry:
        return None
    try:
        return ip_network(entry)
    except ValueError as error:
        cure = "Write it as host:port, or as a network: 10.1.0.0/16, with zeros behind its length."
        raise _refused(f"{shown(entry)} in webhook_allow is not a network", cure) from error


def _place(key: str, entry: str) -> tuple[str, int]:
    parts = _split(f"//{entry}")
    if parts is None or not parts.hostname or parts.port is None or parts.netloc != entry or "@" in entry:
        raise _refused(f"{shown(entry)} is not a value for {key}", "Write it as host:port, as in mail.example.org:587.")
    return parts.hostname, parts.port


def shown(entry: str) -> str:
    """Give an entry for a message, unless it may be an address with a login or a secret path."""
    return "an entry" if "@" in entry or "://" in entry else f"'{entry}'"


def _check_certificates(place: str) -> None:
    try:
        ssl.create_default_context(cafile=Path(place))
    except OSError as error:
        what = "holds no certificate" if isinstance(error, ssl.SSLError) else "cannot be read"
        raise _refused(f"the file of ca_file {what}", "Name a file in PEM form that the agent may read.") from error
