"""Settings: file, then environment; what is misspelt is refused with the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import Invalid
from app.settings import child_environment, load


def _write(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.ini").write_text(text)
    return folder


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    instance = _write(tmp_path, "[API]\nport = 1111\nworkers = 7\n")
    settings = load({"MAO_API_PORT": "2222"}, instance)
    assert (settings.api.port, settings.api.workers) == (2222, 7)


def test_the_instance_folder_comes_from_the_environment(tmp_path: Path) -> None:
    _write(tmp_path, "[API]\nport = 1111\n")
    assert load({"MAO_INSTANCE": str(tmp_path)}).api.port == 1111


def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        load({}, _write(tmp_path, "[LIMITS]\nmemory_md = 4\n"))
    assert "memory_md" in refused.value.message
    assert refused.value.hint == "Did you mean 'memory_mb'?"


def test_an_unknown_section_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        load({}, _write(tmp_path, "[POSTGRESS]\nuser = x\n"))
    assert refused.value.hint == "Did you mean 'POSTGRES'?"


def test_an_unknown_variable_of_a_known_section_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="prt"):
        load({"MAO_API_PRT": "1"}, tmp_path)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("MAO_API_PORT", "many"), ("MAO_GIT_ALLOW_LOCAL", "perhaps"), ("MAO_LIMITS_CPUS", "one")],
)
def test_a_value_of_the_wrong_kind_names_its_key(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(Invalid) as refused:
        load({variable: value}, tmp_path)
    assert value in refused.value.message
    assert variable.removeprefix("MAO_").split("_", 1)[1].lower() in refused.value.message


def test_a_secret_may_be_named_by_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    from_environment = load({"MAO_POSTGRES_PASSWORD_FILE": str(tmp_path / "password")}, tmp_path)
    assert from_environment.postgres.password == "s3cret"
    from_file = load({}, _write(tmp_path, "[POSTGRES]\npassword_file = password\n"))
    assert from_file.postgres.password == "s3cret"


def test_a_secret_file_that_is_missing_is_named_by_its_key_and_not_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"POSTGRES\.password_file") as refused:
        load({"MAO_POSTGRES_PASSWORD_FILE": "/nowhere/at/all"}, tmp_path)
    assert "/nowhere" not in refused.value.message


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    settings = load({"MAO_POSTGRES_PASSWORD": "s3cret", "MAO_ETCD_PASSWORD": "s3cret"}, tmp_path)
    assert "s3cret" not in repr(settings)


def test_the_database_url_names_the_driver_and_quotes_what_it_must(tmp_path: Path) -> None:
    settings = load({"MAO_POSTGRES_ADDRESS": "db:5432", "MAO_POSTGRES_PASSWORD": "a/b@c"}, tmp_path)
    assert settings.database_url == "postgresql+psycopg2://mao:a%2Fb%40c@db:5432/mao"


def test_relative_paths_begin_at_the_instance_folder(tmp_path: Path) -> None:
    assert load({}, tmp_path).working_environment.importdir == tmp_path / "data"
    moved = load({"MAO_WORKING_ENVIRONMENT_IMPORTDIR": "/srv/data"}, tmp_path)
    assert moved.working_environment.importdir == Path("/srv/data")


def test_a_bad_name_for_the_node_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="not a name for a node"):
        load({"MAO_WORKING_ENVIRONMENT_NODE": "My Node"}, tmp_path)


def test_a_child_loads_the_very_same_settings(tmp_path: Path) -> None:
    settings = load({"MAO_API_PORT": "2222", "MAO_POSTGRES_PASSWORD": "s3cret"}, tmp_path)
    assert load(child_environment(settings, {"MAO_API_PORT": "9"})) == settings


def test_the_engine_that_docker_uses_counts_where_no_other_is_named(tmp_path: Path) -> None:
    engine = {"DOCKER_HOST": "unix:///run/private.sock"}
    assert load(engine, tmp_path).docker.socket == "unix:///run/private.sock"
    assert load({**engine, "MAO_DOCKER_SOCKET": "unix:///ours.sock"}, tmp_path).docker.socket == "unix:///ours.sock"
    named = _write(tmp_path, "[DOCKER]\nsocket = unix:///named.sock\n")
    assert load(engine, named).docker.socket == "unix:///named.sock"
