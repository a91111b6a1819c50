"""Which addresses and branches git may be given."""

from __future__ import annotations

import pytest

from app.errors import Invalid
from app.repositories.git_urls import MAX_URL_CHARACTERS, Host, checked_branch, checked_url, host_of

ALLOWED = [
    "https://github.com/group/data.git",
    "https://github.com/group/data",
    "https://gitlab.example.org/group/sub-group/data.git",
    "https://git.example.org:8443/data",
    "https://git_server/data.git",
    "https://192.0.2.7/data.git",
    "https://10.1.2.3/data.git",
    "https://192.168.1.1:8443/data.git",
    "ssh://git@172.16.0.9/data.git",
    "https://[fd12:3456::1]/data.git",
    "https://1and1.example/data.git",
    "https://[2001:db8::1]:8443/data.git",
    "https://example.org/~user/data.git",
    "https://example.org/a%20b/data.git",
    "https://example.org/data@v2.git",
    "ssh://git@github.com/group/data.git",
    "ssh://git@example.org:2222/srv/data.git",
    "ssh://example.org/srv/data.git",
    "ssh://git@example.org/~user/data.git",
    "ssh://git@[2001:db8::1]:22/data.git",
    "git@github.com:group/data.git",
    "git@github.com:data",
    "deploy.bot@example.org:/srv/data.git",
    "git@example.org:~user/data.git",
]

ONLY_LOCALLY = [
    "http://example.org/data.git",
    "http://127.0.0.1:8080/data.git",
    "file:///srv/data.git",
    "/srv/data.git",
    "https://localhost/data.git",
    "https://LOCALHOST:8443/data.git",
    "https://git.localhost/data.git",
    "git@localhost:data.git",
    "https://127.0.0.1/data.git",
    "https://127.255.255.254/data.git",
    "https://0.0.0.0/data.git",
    "https://169.254.169.254/latest/meta-data",
    "https://224.0.0.1/data.git",
    "https://255.255.255.255/data.git",
    "https://[::1]/data.git",
    "https://[::]/data.git",
    "https://[0:0:0:0:0:0:0:1]:443/data.git",
    "https://[fe80::1]/data.git",
    "https://[ff02::1]/data.git",
    "https://[::ffff:127.0.0.1]/data.git",
    "https://[::ffff:7f00:1]/data.git",
    "https://[::127.0.0.1]/data.git",
    "https://[::ffff:0:127.0.0.1]/data.git",
    "https://[2002:7f00:1::]/data.git",
    "https://[2002:a9fe:a9fe::1]/data.git",
    "https://[64:ff9b::169.254.169.254]/data.git",
    "https://[2001:0:7f00:1::1]/data.git",
    "https://[fd00:ec2::254]/data.git",
    "ssh://git@127.0.0.1:2222/data.git",
    "ssh://git@[::1]/data.git",
    "git@169.254.169.254:data.git",
    "git@[::ffff:127.0.0.1]:data.git",
]

REFUSED = {
    "nothing": "",
    "a dash": "-",
    "an option": "--upload-pack=/tmp/x",
    "an abbreviated option": "--upl=/tmp/x",
    "an option with a URL": "-uhttps://example.org/data",
    "a config option": "-c core.sshCommand=id",
    "ext runs commands": "ext::sh -c id",
    "ext without a space": "ext::id",
    "ext with slashes": "ext://id",
    "fd": "fd::17",
    "fd with a path": "fd::17/data",
    "another helper": "foo::https://example.org/data",
    "an empty helper": "::https://example.org/data",
    "git protocol": "git://example.org/data.git",
    "ftp": "ftp://example.org/data.git",
    "ftps": "ftps://example.org/data.git",
    "rsync": "rsync://example.org/data.git",
    "git over ssh, old spelling": "git+ssh://git@example.org/data.git",
    "ssh over git, old spelling": "ssh+git://git@example.org/data.git",
    "capital scheme": "HTTPS://example.org/data.git",
    "javascript": "javascript:alert(1)",
    "data": "data:text/plain,x",
    "no scheme": "example.org/data.git",
    "scheme only": "https://",
    "no host": "https:///data.git",
    "no path": "https://example.org",
    "no name in the path": "https://example.org/",
    "two slashes at the path": "https://example.org//data",
    "a query": "https://example.org/data?x=1",
    "a fragment": "https://example.org/data#x",
    "user and password": "https://user:secret@example.org/data.git",
    "a token as user": "https://ghp_secret@example.org/data.git",
    "an empty user": "https://@example.org/data.git",
    "a password for ssh": "ssh://git:secret@example.org/data.git",
    "two at signs": "https://a@b@example.org/data.git",
    "a number as host": "https://2130706433/data.git",
    "a hexadecimal host": "https://0x7f000001/data.git",
    "a hexadecimal part": "https://0x7f.0.0.1/data.git",
    "an octal host": "https://017700000001/data.git",
    "an octal part": "https://0177.0.0.1/data.git",
    "a short host": "ssh://git@127.1/data.git",
    "a host of one zero": "git@0:data.git",
    "five parts": "https://127.0.0.0.1/data.git",
    "a part above 255": "https://127.0.0.256/data.git",
    "a trailing dot": "https://example.org./data.git",
    "a trailing dot after an address": "https://127.0.0.1./data.git",
    "no IPv6": "https://[1:2]/data.git",
    "IPv6 with a zone": "https://[fe80::1%25eth0]/data.git",
    "IPv6 without brackets": "https://::1/data.git",
    "a backslash before the host": "https://example.org\\@evil.example/data.git",
    "an option as ssh host": "ssh://-oProxyCommand=id/data",
    "an option as ssh host with a user": "ssh://git@-oProxyCommand=id/data",
    "an option as ssh user": "ssh://-oProxyCommand=id@example.org/data",
    "an option as host": "https://-example.org/data",
    "an option as scp host": "git@-oProxyCommand=id:data",
    "an option as scp user": "-oProxyCommand=id@example.org:data",
    "an option as scp path": "git@example.org:-upload-pack",
    "an option as path": "https://example.org/-data",
    "an option as ssh path": "ssh://git@example.org/-data",
    "an empty scp path": "git@example.org:",
    "scp without a user": "example.org:data.git",
    "scp with a colon as path": "git@example.org::data",
    "a newline": "https://example.org/data\n.git",
    "a newline at the end": "https://example.org/data.git\n",
    "a carriage return": "https://example.org/data\r.git",
    "a NUL": "https://example.org/data\0.git",
    "an escape character": "https://example.org/\x1b[31mdata",
    "a tab": "https://example.org/da\tta",
    "a space": "https://example.org/da ta",
    "a space before": " https://example.org/data",
    "a no-break space": "https://example.org/da\u00a0ta",
    "a zero width space": "https://example.org/da\u200bta",
    "a look-alike host": "https://ex\u0430mple.org/data",
    "a lone surrogate": "https://example.org/\ud800",
    "a variable": "https://$HOME.example.org/data",
    "a variable in the path": "https://example.org/${SECRET}",
    "a variable for ssh": "git@example.org:$SECRET",
    "a command": "https://example.org/`id`",
    "a subshell": "git@example.org:$(id)",
    "a semicolon": "git@example.org:data;id",
    "a pipe": "git@example.org:data|id",
    "a quote": "git@example.org:da'ta",
    "an escaped newline": "https://example.org/data%0ahost=evil.example",
    "an escaped NUL": "https://example.org/data%00",
    "an escaped DEL": "https://example.org/data%7f",
    "a broken escape": "https://example.org/data%zz",
    "a short escape": "https://example.org/data%2",
    "an escape in the host": "https://example%2eorg/data",
    "going up": "https://example.org/../data",
    "going up, escaped": "https://example.org/a/%2e%2e/data",
    "going up, escaped slash": "https://example.org/a/..%2f..%2fdata",
    "going up over ssh": "git@example.org:../data",
    "port 0": "https://example.org:0/data",
    "a port too high": "https://example.org:65536/data",
    "a port that is no number": "https://example.org:https/data",
    "a label that ends in a dash": "https://example-.org/data",
    "an empty label": "https://example..org/data",
    "a relative path": "data.git",
    "a relative path with a dot": "./data.git",
    "a path up": "../data.git",
    "a home": "~/data.git",
    "a file on a host": "file://example.org/data.git",
    "a relative file": "file://data.git",
    "a file going up": "file:///srv/../etc",
    "an option as file": "file:///-data",
    "two slashes": "//example.org/data",
    "a Windows path": "C:\\data",
    "a bundle option": "/srv/data\n--upload-pack=id",
    "too long": "https://example.org/" + "a" * MAX_URL_CHARACTERS,
}

REFUSED_BRANCHES = [
    *("", "-b", "--upload-pack=id", "a b", "a..b", "a//b", "/a", "a/", "a.lock", "a.lock/b", ".a", "a/.b", "a/-b"),
    *("a.", "HEAD", "a@{1}", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "a\n", "ä", "$a", "a" * 201, "quarantine/7"),
]


@pytest.mark.parametrize("url", ALLOWED)
def test_an_address_of_a_known_shape_is_allowed_and_unchanged(url: str) -> None:
    assert checked_url(url, allow_local=False) == url
    assert checked_url(url, allow_local=True) == url


@pytest.mark.parametrize("url", ONLY_LOCALLY)
def test_http_local_paths_and_hosts_near_the_node_need_the_nodes_permission(url: str) -> None:
    assert checked_url(url, allow_local=True) == url
    with pytest.raises(Invalid):
        checked_url(url, allow_local=False)


@pytest.mark.parametrize("allow_local", [False, True])
@pytest.mark.parametrize("url", REFUSED.values(), ids=REFUSED)
def test_everything_else_is_refused_even_where_local_paths_are_allowed(url: str, allow_local: bool) -> None:
    with pytest.raises(Invalid) as caught:
        checked_url(url, allow_local=allow_local)
    assert caught.value.fields.keys() == {"url"}


def test_the_refusal_names_the_field_that_the_caller_gave() -> None:
    with pytest.raises(Invalid) as caught:
        checked_url("ext::id", allow_local=True, field="data_repo")
    assert caught.value.fields.keys() == {"data_repo"}


@pytest.mark.parametrize("url", ["https://user:hunter2@example.org/d", "ssh://git:hunter2@example.org/d", "hunter2"])
def test_the_refusal_never_repeats_the_address(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        checked_url(url, allow_local=True)
    assert "hunter2" not in f"{caught.value} {caught.value.fields} {caught.value.hint}"


def test_the_longest_address_is_allowed_and_one_more_character_is_not() -> None:
    longest = "https://example.org/".ljust(MAX_URL_CHARACTERS, "a")
    assert checked_url(longest, allow_local=False) == longest
    with pytest.raises(Invalid, match="at most"):
        checked_url(f"{longest}a", allow_local=False)


@pytest.mark.parametrize("branch", ["main", "feature/x-1", "v1.2", "_private", "a", "1", "release=7", "x+y"])
def test_a_plain_branch_is_allowed(branch: str) -> None:
    assert checked_branch(branch) == branch


@pytest.mark.parametrize("branch", REFUSED_BRANCHES)
def test_a_branch_that_git_or_a_shell_could_misread_is_refused(branch: str) -> None:
    with pytest.raises(Invalid) as caught:
        checked_branch(branch)
    assert caught.value.fields.keys() == {"branch"}


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://example.org/data", Host("https", "example.org", 443)),
        ("http://example.org:8080/data", Host("http", "example.org", 8080)),
        ("https://[2001:db8::1]:8443/data", Host("https", "[2001:db8::1]", 8443)),
        ("ssh://git@example.org:2222/data", Host("ssh", "example.org", 2222)),
        ("git@example.org:data/a:b@c", Host("ssh", "example.org", 22)),
        ("/srv/data.git", None),
        ("file:///srv/git@example.org:data", None),
    ],
)
def test_the_host_is_the_one_that_git_will_ask(url: str, host: Host | None) -> None:
    assert host_of(url) == host
