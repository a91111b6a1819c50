"""The example of a definition tool does what its page says."""

from __future__ import annotations

from pathlib import Path

from tests.integration.definitions.site import Site

EXAMPLE = Path(__file__).parents[3] / "examples" / "definition-tool"


def test_the_example_is_installed_and_counts(site: Site) -> None:
    files = {path.relative_to(EXAMPLE).as_posix(): path.read_bytes() for path in EXAMPLE.rglob("*") if path.is_file()}
    site.repository(dict(files), "primes")
    site.git.origin("primes-data").push({"README": "data"})
    site.register("primes", data_repo=site.git.url("primes-data"))
    assert site.install("primes").message == ""
    run = site.run("primes", command_name="count", arguments=["100"])
    assert (run.status, site.output(run.id)) == ("SUCCEEDED", "There are 25 primes up to 100.\n")
    assert run.spike is not None
    refused = site.run("primes", command_name="count", arguments=["abc"])
    assert (refused.status, refused.exit_code, refused.output_commit) == ("FAILED", 2, None)
    assert site.output(refused.id) == "The limit must be a whole number, not 'abc'.\n"
    said = site.output(site.run("primes", command_name="about").id).splitlines()
    assert said[0] == f"installed from commit {run.definition_commit}"
    assert f"control-{run.submitted_at:%Y-%m-%d}-run-{run.id}.csv" in said[1:]
