"""Settings: ``instance/config.ini``, then ``MAO_<SECTION>_<KEY>``; the only reader of the environment.

Where neither names the container engine, ``DOCKER_HOST`` does, so that it is the one that ``docker`` itself uses.
A secret may be named by file: ``MAO_POSTGRES_PASSWORD_FILE``, or ``password_file`` in the file. An unknown section or
key is an error that names the nearest known one, because a misspelt limit is a limit that is not there.
"""

from __future__ import annotations

import configparser
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import quote

from app.errors import Invalid, nearest
from app.notification_settings import NotificationSettings, shown


@dataclass(frozen=True)
class WorkingEnvironment:
    """The node itself; ``user`` is the operator's name, ``node`` the machine's.

    ``importdir`` holds the clones, ``filesdir`` what was uploaded to runs, ``secretsdir`` a folder of secrets a tool,
    ``toolsdir`` the code of definition tools.
    """

    importdir: Path = Path("data")
    filesdir: Path = Path("files")
    secretsdir: Path = Path("secrets")
    toolsdir: Path = Path("tools")
    user: str = ""
    node: str = ""
    allow_process_backend: bool = False


@dataclass(frozen=True)
class Etcd:
    """Where etcd is: ``host:port``, several with commas; empty starts an embedded one."""

    address: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    ca_cert: str = ""
    cert: str = ""
    key: str = ""
    timeout_seconds: float = 3.0


@dataclass(frozen=True)
class Postgres:
    """Where PostgreSQL is: ``host:port``; empty starts an embedded one."""

    address: str = ""
    database: str = "mao"
    user: str = "mao"
    password: str = field(default="", repr=False)
    pool_size: int = 5
    statement_timeout_seconds: float = 5.0


@dataclass(frozen=True)
class Docker:
    """The container engine and how images are fetched. ``mtu`` 0 leaves the engine's own."""

    socket: str = "unix:///var/run/docker.sock"
    network: str = "mao"
    mtu: int = 0
    pull_policy: str = "missing"
    pull_deadline_seconds: int = 300
    timeout_seconds: int = 20
    allow_legacy: bool = False


@dataclass(frozen=True)
class Git:
    """What git may do: how long one command may take, whether local paths are remotes, who signs commits.

    The last four are paths: of files, and of a program, by which git gets in at remotes; empty is none.
    """

    allow_local: bool = False
    timeout_seconds: int = 600
    max_bytes: int = 20 * 2**30
    author_name: str = "MAO Orchestrator"
    author_email: str = "mao@localhost"
    credentials_file: str = ""
    credential_helper: str = ""
    ssh_key_file: str = ""
    known_hosts_file: str = ""


@dataclass(frozen=True)
class Api:
    """Where the API listens and with how many processes and threads.

    ``public_url`` is where those find it who are to call it, if that is another place.
    """

    host: str = "127.0.0.1"
    port: int = 8642
    public_url: str = ""
    workers: int = 2
    threads: int = 16

    @property
    def url(self) -> str:
        """The address that is given to others, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url.rstrip("/") or f"http://{host}:{self.port}"


@dataclass(frozen=True)
class LimitsSettings:
    """What a run gets when its tool does not say, and what this node allows at once; 0 is no limit.

    Percentages are of a file system in use: above ``disk_pull_percent`` no image is fetched, above
    ``disk_run_percent`` no run begins. ``catch_up_per_minute`` is how many runs a minute make up for missed instants.
    ``install_seconds`` and ``install_bytes`` are what installing a definition tool may take.
    ``retry_seconds`` is the pause before a second attempt; it doubles before each further one.
    """

    concurrent_runs: int = 4
    runs_per_tool: int = 0
    runs_per_owner: int = 0
    runs_per_backend: int = 0
    disk_pull_percent: int = 85
    disk_run_percent: int = 95
    catch_up_per_minute: int = 60
    lock_seconds: int = 20
    retry_seconds: float = 10.0
    memory_mb: int = 1024
    cpus: float = 1.0
    pids: int = 256
    timeout_seconds: int = 86_400
    stop_grace_seconds: int = 10
    output_bytes: int = 64 * 2**20
    body_bytes: int = 2**20
    file_bytes: int = 100 * 2**20
    refusals_per_minute: int = 60
    install_seconds: int = 1800
    install_bytes: int = 2 * 2**30


@dataclass(frozen=True)
class Retention:
    """For how many days each kind of record is kept after it was made; 0 is for ever.

    ``image_days`` counts from an image's last use. A run that is removed takes events, output and files along.
    """

    runs_days: int = 3650
    output_days: int = 365
    files_days: int = 90
    firings_days: int = 730
    audit_days: int = 3650
    idempotency_days: int = 30
    image_days: int = 30
    notifications_days: int = 365


@dataclass(frozen=True)
class Settings:
    """All settings of one process, one field a section; ``instance`` is the folder that keeps its state."""

    instance: Path
    working_environment: WorkingEnvironment
    etcd: Etcd
    postgres: Postgres
    docker: Docker
    git: Git
    api: Api
    limits: LimitsSettings
    retention: Retention
    notifications: NotificationSettings

    @property
    def node(self) -> str:
        """The name of this node, safe in the name of a container."""
        return self.working_environment.node

    @property
    def database_url(self) -> str:
        """The one spelling that makes SQLAlchemy use psycopg2."""
        p = self.postgres
        login = f"{quote(p.user, safe='')}:{quote(p.password, safe='')}"
        return f"postgresql+psycopg2://{login}@{p.address}/{quote(p.database, safe='')}"


_SECTIONS = {name: hint for name, hint in get_type_hints(Settings).items() if name != "instance"}
_TRUE = {"1", "yes", "true", "on"}
_FALSE = {"0", "no", "false", "off"}
CONFIG_NAME = "config.ini"


def load(environ: Mapping[str, str] | None = None, instance: Path | None = None) -> Settings:
    """Read the settings of this process.

    ``instance`` defaults to ``MAO_INSTANCE`` or ``./instance``; relative paths in the settings start there.

    Raises:
        Invalid: an unknown section or key, or a value of the wrong kind.
    """
    environ = os.environ if environ is None else environ
    folder = (instance or Path(environ.get("MAO_INSTANCE", "instance"))).resolve()
    given = _from_file(folder / CONFIG_NAME)
    for section, values in _from_environment(environ).items():
        given.setdefault(section, {}).update(values)
    if engine := environ.get("DOCKER_HOST"):
        given.setdefault("docker", {}).setdefault("socket", engine)
    built = {name: _build(name, kind, given.get(name, {}), folder) for name, kind in _SECTIONS.items()}
    notifications: NotificationSettings = built["notifications"]
    if notifications.ca_file:
        notifications = replace(notifications, ca_file=str(folder / notifications.ca_file))
    notifications.check()
    completed = {
        "working_environment": _completed(built, folder, environ),
        "git": _located(built["git"], folder),
        "notifications": notifications,
    }
    return Settings(instance=folder, **{**built, **completed})


def child_environment(settings: Settings, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give the environment in which a child process loads exactly these settings.

    Secrets travel in it and not in arguments, because everyone on the machine can read a process's arguments.
    """
    environ = os.environ if environ is None else environ
    prefixes = tuple(f"MAO_{section.upper()}_" for section in _SECTIONS)
    kept = {name: value for name, value in environ.items() if not name.startswith(prefixes)}
    ours = {
        f"MAO_{section.upper()}_{f.name.upper()}": str(getattr(getattr(settings, section), f.name))
        for section, kind in _SECTIONS.items()
        for f in fields(kind)
    }
    return {**kept, **ours, "MAO_INSTANCE": str(settings.instance)}


def _completed(built: dict[str, Any], folder: Path, environ: Mapping[str, str]) -> WorkingEnvironment:
    given: WorkingEnvironment = built["working_environment"]
    node = given.node or re.sub(r"[^a-z0-9._-]", "-", socket.gethostname().lower()).strip("-._") or "node"
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,40}", node):
        raise Invalid(f"'{node}' is not a name for a node.", hint="Use at most 41 of a-z, 0-9, '.', '_' and '-'.")
    return WorkingEnvironment(
        importdir=(folder / given.importdir).resolve(),
        filesdir=(folder / given.filesdir).resolve(),
        secretsdir=(folder / given.secretsdir).resolve(),
        toolsdir=(folder / given.toolsdir).resolve(),
        user=given.user or environ.get("USER", "") or "operator",
        node=node,
        allow_process_backend=given.allow_process_backend,
    )


def _located(git: Git, folder: Path) -> Git:
    """Give the settings of git with whole paths; whoever starts git is in another folder."""

    def located(name: str) -> str:
        return str(folder / name) if name else ""

    return replace(
        git,
        credentials_file=located(git.credentials_file),
        credential_helper=located(git.credential_helper),
        ssh_key_file=located(git.ssh_key_file),
        known_hosts_file=located(git.known_hosts_file),
    )


def _from_file(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except configparser.Error as error:
        raise Invalid(f"{path.name} cannot be read: {error.message}") from error
    found = {}
    for section in parser.sections():
        name = section.lower()
        if name not in _SECTIONS:
            known = [known.upper() for known in _SECTIONS]
            raise Invalid(f"Unknown section '{section}' in {path.name}.", hint=nearest(section, known))
        found[name] = dict(parser.items(section))
    return found


def _from_environment(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for variable, value in environ.items():
        for section in _SECTIONS:
            prefix = f"MAO_{section.upper()}_"
            if variable.startswith(prefix):
                found.setdefault(section, {})[variable.removeprefix(prefix).lower()] = value
    return found


def _build(section: str, kind: type, given: dict[str, str], folder: Path) -> Any:
    kinds = get_type_hints(kind)
    secrets = {f.name for f in fields(kind) if not f.repr}
    values = {}
    for key, text in given.items():
        name = key.removesuffix("_file")
        if key not in kinds and name in secrets:
            text, key = _secret(section, key, folder / text), name
        if key not in kinds:
            raise Invalid(f"Unknown key '{key}' in section {section.upper()}.", hint=nearest(key, kinds))
        values[key] = _converted(section, key, text, kinds[key])
    return kind(**values)


def _secret(section: str, key: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Invalid(
            f"The file named by {section.upper()}.{key} cannot be read: {error.strerror}.",
            hint="Create it, readable by this user only, with the secret in it.",
        ) from error


def _converted(section: str, key: str, text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
    else:
        try:
            return kind(text)
        except ValueError:
            pass
    raise Invalid(f"{shown(text)} is not a value for {section.upper()}.{key}: {kind.__name__} expected.")
