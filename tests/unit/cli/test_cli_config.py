"""Where URL and token come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.config import Options, resolve
from cli.errors import WrongUse

OTHER = "mao_other_secret"


def write_config(path: Path, url: str = "http://file.test", token: str = "mao_file_secret") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[maoctl]\nurl = {url}\ntoken = {token}\n")
    return path


def test_the_option_wins_over_the_environment_and_that_over_the_file(place: Path) -> None:
    write_config(place / "instance" / "maoctl.ini")
    assert resolve(Options(), {}).url == "http://file.test"
    assert resolve(Options(), {"MAO_URL": "http://env.test"}).url == "http://env.test"
    assert resolve(Options(url="http://option.test"), {"MAO_URL": "http://env.test"}).url == "http://option.test"


def test_the_token_file_wins_over_the_environment_and_that_over_the_file(place: Path) -> None:
    write_config(place / "instance" / "maoctl.ini")
    (place / "token").write_text(f"{OTHER}\n")
    assert resolve(Options(), {}).token == "mao_file_secret"
    assert resolve(Options(), {"MAO_TOKEN_FILE": str(place / "token")}).token == OTHER
    assert resolve(Options(), {"MAO_TOKEN": "mao_env", "MAO_TOKEN_FILE": str(place / "token")}).token == "mao_env"
    assert resolve(Options(token_file=str(place / "token")), {"MAO_TOKEN": "mao_env"}).token == OTHER


def test_the_first_file_found_is_used(place: Path) -> None:
    environ = {"MAO_INSTANCE": str(place / "other"), "HOME": str(place / "home")}
    places = [
        place / "home" / ".config" / "mao" / "maoctl.ini",
        place / "checkout" / "instance" / "maoctl.ini",
        place / "instance" / "maoctl.ini",
        place / "other" / "maoctl.ini",
    ]
    for number, path in enumerate(places):
        write_config(path, url=f"http://place{number}.test")
        assert resolve(Options(), environ).url == f"http://place{number}.test"


def test_a_named_file_is_the_only_one_looked_at(place: Path) -> None:
    write_config(place / "instance" / "maoctl.ini")
    named = write_config(place / "named.ini", url="http://named.test")
    assert resolve(Options(config=str(named)), {}).url == "http://named.test"
    assert resolve(Options(), {"MAO_CLI_CONFIG": str(named)}).url == "http://named.test"
    with pytest.raises(WrongUse, match="is no file"):
        resolve(Options(config=str(place / "missing.ini")), {})


def test_without_any_url_the_error_names_the_places_and_the_cure() -> None:
    with pytest.raises(WrongUse, match="No server is known") as caught:
        resolve(Options(), {"MAO_INSTANCE": "/srv/instance"})
    assert "mao up" in str(caught.value.hint)
    assert "/srv/instance/maoctl.ini" in str(caught.value.hint)


def test_the_token_of_a_file_is_not_shown_to_another_server(place: Path) -> None:
    write_config(place / "instance" / "maoctl.ini")
    connection = resolve(Options(url="http://elsewhere.test"), {})
    assert connection.token == ""
    assert "another URL" in connection.token_source


def test_a_slash_at_the_end_makes_no_other_server(place: Path) -> None:
    write_config(place / "instance" / "maoctl.ini", url="http://file.test/")
    connection = resolve(Options(url="http://file.test//"), {})
    assert (connection.url, connection.token) == ("http://file.test", "mao_file_secret")


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:8080", "ftp://mao.test", "http://", "http://[::1", "http://mao.test:port", "http://mao.test:99999"],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(WrongUse, match="--url is not one"):
        resolve(Options(url=url), {})


@pytest.mark.parametrize("url", ["http://me:secret@mao.test", "http://mao.test?token=secret", "http://mao.test#secret"])
def test_a_url_with_a_secret_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(WrongUse) as caught:
        resolve(Options(url=url), {})
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("token", ["mao_a\nX-Evil: 1", "mao_ä", "   "])
def test_a_token_that_no_header_takes_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(WrongUse, match="The token from MAO_TOKEN") as caught:
        resolve(Options(url="http://mao.test"), {"MAO_TOKEN": token})
    assert "mao_" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("token = mao_secret", "is not an INI file"),
        ("[maoctl]\nmao_secret", "is not an INI file"),
        ("[other]\nurl = x", "has no section"),
    ],
)
def test_a_broken_file_is_named_and_not_quoted(place: Path, text: str, words: str) -> None:
    (place / "broken.ini").write_text(text)
    with pytest.raises(WrongUse, match=words) as caught:
        resolve(Options(config=str(place / "broken.ini")), {})
    assert "mao_secret" not in f"{caught.value.message}{caught.value.hint}"
    assert caught.value.__cause__ is None


def test_a_token_file_that_cannot_be_read_is_named(place: Path) -> None:
    with pytest.raises(WrongUse, match=r"Cannot read the token file .*missing: No such file"):
        resolve(Options(url="http://mao.test", token_file=str(place / "missing")), {})


def test_the_token_is_not_in_the_connections_text(place: Path) -> None:
    write_config(place / "instance" / "maoctl.ini")
    assert "mao_file_secret" not in repr(resolve(Options(), {}))


@pytest.mark.parametrize(
    ("url", "is_loopback"),
    [
        ("http://127.0.0.1:1", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("http://10.0.0.1", False),
        ("https://mao.test", False),
    ],
)
def test_this_machine_is_known_as_such(url: str, is_loopback: bool) -> None:
    assert resolve(Options(url=url), {}).is_loopback is is_loopback
