"""A real agent, killed while a real installer is at work: nothing of it stays, and the next agent installs anew."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.definitions.site import SCRIPTS, definition
from tests.integration.git_server import GitServer
from tests.integration.whole.product import Product

pytestmark = [pytest.mark.docker, pytest.mark.long]
PATH = "/api/tools/visitors/installation"


def test_an_agent_killed_during_an_installation_leaves_nothing_half_made(
    product: Product, image: str, engine: Any
) -> None:
    def shown() -> dict[str, Any]:
        return dict(product.call("GET", PATH).json())

    with GitServer(product.folder / "origins") as git:
        origin = git.origin("visitors")
        origin.push({"mao.yml": definition(), **SCRIPTS, "install.sh": "touch half; echo begun; sleep 600\n"})
        agent = product.start()
        entry = {"name": "visitors", "author": "t", "image": image, "data_repo": "", "artefact": "", "network": "none"}
        assert product.call("POST", "/api/tools", json={**entry, "code_repo": git.url("visitors")}).status_code == 201
        assert product.call("POST", PATH).status_code == 202
        product.until(lambda: shown()["log"] == "begun\n", "the installer is at work")
        agent.kill()
        agent.wait()
        assert product.call("GET", "/api/tools/visitors/help").status_code == 404
        origin.push({"install.sh": SCRIPTS["install.sh"]})
        heir = product.start_agent()
        product.until(lambda: shown()["state"] == "READY", "the next agent has installed it")
        label = {"label": f"mao.node={product.settings.node}"}
        product.until(lambda: not engine.containers(all=True, filters=label), "the first installer's container is gone")
        tools = product.settings.working_environment.toolsdir
        product.until(lambda: len(list(tools.glob("visitors/*"))) == 1, "the first one's folder is gone")
        assert not list(tools.rglob("half"))
        heir.terminate()
        heir.wait()
        # What it can do is shown while no agent is there.
        assert product.call("GET", "/api/tools/visitors/help").json()["commands"][0]["usage"] == "count YEAR NUMBER"
