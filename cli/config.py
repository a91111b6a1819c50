"""Where the server is and which token to show it: option, then environment, then file. The only environment reading."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from cli.errors import WrongUse

FILE_NAME = "maoctl.ini"
SECTION = "maoctl"
_TOKEN = re.compile(r"[!-~]+")
_CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Options:
    """What the command line says about the connection; None where it says nothing."""

    url: str | None = None
    token_file: str | None = None
    config: str | None = None

    @property
    def words(self) -> list[str]:
        """The options as they are written on a command line."""
        named = {"--url": self.url, "--token-file": self.token_file, "--config": self.config}
        return [f"{name}={value}" for name, value in named.items() if value is not None]


@dataclass(frozen=True)
class Connection:
    """A server's URL (no slash at its end) and the token for it, with where each was found. ``token`` may be empty."""

    url: str
    url_source: str
    token: str = field(repr=False)
    token_source: str
    file: Path | None = None

    @property
    def is_loopback(self) -> bool:
        """Tell whether the server is on this machine."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    @property
    def is_encrypted(self) -> bool:
        """Tell whether the connection is TLS."""
        return self.url.startswith("https://")


def resolve(options: Options, environ: Mapping[str, str] | None = None) -> Connection:
    """Find the server's URL and the token.

    Raises:
        WrongUse: no URL is known, or a file or value that was named cannot be used.
    """
    environ = os.environ if environ is None else environ
    file = _find_file(options, environ)
    stored = _read_file(file) if file else {}
    url, url_source = _first(
        (options.url, "--url"), (environ.get("MAO_URL"), "MAO_URL"), (stored.get("url"), str(file))
    )
    if not url:
        raise WrongUse(
            "No server is known.",
            hint="Start one on this machine with `mao up`, or name one with --url, MAO_URL or a file "
            f"{FILE_NAME} (looked for in {', '.join(map(str, _places(environ)))}).",
        )
    url = _checked_url(url, url_source)
    token, token_source = _find_token(options, environ, stored, url, file)
    return Connection(url, url_source, token, token_source, file)


def _first(*candidates: tuple[str | None, str]) -> tuple[str, str]:
    return next(((value, source) for value, source in candidates if value), ("", "nowhere"))


def _places(environ: Mapping[str, str]) -> Iterator[Path]:
    if instance := environ.get("MAO_INSTANCE"):
        yield Path(instance) / FILE_NAME
    yield Path("instance") / FILE_NAME
    yield _CHECKOUT / "instance" / FILE_NAME
    yield Path(environ.get("HOME") or "~").expanduser() / ".config" / "mao" / FILE_NAME


def _find_file(options: Options, environ: Mapping[str, str]) -> Path | None:
    named, source = _first((options.config, "--config"), (environ.get("MAO_CLI_CONFIG"), "MAO_CLI_CONFIG"))
    if not named:
        return next((place for place in _places(environ) if _is_file(place)), None)
    if not _is_file(Path(named)):
        raise WrongUse(f"{source} names '{named}', which is no file.")
    return Path(named)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError:
        return False


def _read_file(path: Path) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(_read(path, "the connection file"))
    except configparser.Error:
        # The parser's own message quotes the line, and the line may be the token.
        raise WrongUse(
            f"{path} is not an INI file.", hint=f"It needs a section [{SECTION}] with url and token."
        ) from None
    if not parser.has_section(SECTION):
        raise WrongUse(f"{path} has no section [{SECTION}].", hint="It holds the keys url and token.")
    return dict(parser[SECTION])


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise WrongUse(f"Cannot read {what} {path}: {reason}.") from None


def _checked_url(url: str, source: str) -> str:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise WrongUse(f"The URL from {source} is not one: it must look like http://127.0.0.1:8080.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise WrongUse(f"The URL from {source} must hold neither a password nor a query.")
    return url.rstrip("/")


def _find_token(
    options: Options, environ: Mapping[str, str], stored: Mapping[str, str], url: str, file: Path | None
) -> tuple[str, str]:
    """Find the token. The one in the file belongs to the file's URL and is never shown to another server."""
    if options.token_file:
        return _token_in_file(options.token_file)
    if token := environ.get("MAO_TOKEN"):
        return _checked_token(token, "MAO_TOKEN"), "MAO_TOKEN"
    if path := environ.get("MAO_TOKEN_FILE"):
        return _token_in_file(path)
    if stored.get("token") and stored.get("url", url).rstrip("/") == url:
        return _checked_token(stored["token"], str(file)), str(file)
    if stored.get("token"):
        return "", f"nowhere: the token in {file} is for another URL"
    return "", "nowhere"


def _token_in_file(path: str) -> tuple[str, str]:
    return _checked_token(_read(Path(path), "the token file"), path), path


def _checked_token(token: str, source: str) -> str:
    token = token.strip()
    if not _TOKEN.fullmatch(token):
        raise WrongUse(f"The token from {source} is empty or holds characters that no token has.")
    return token
