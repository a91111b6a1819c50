"""Definition tools on this node: the API asks, the agent installs. What is known of them is shown without the agent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from app.errors import Invalid, NotFound, RegistryDown, WrongState
from app.models.definition import Definition
from app.models.installation import Installation, InstallationState
from app.models.tool import Tool
from app.repositories.database import Database
from app.repositories.git_code import checked_commit
from app.repositories.git_urls import checked_branch, checked_url
from app.repositories.installations import InstallationRepository
from app.repositories.registry import Registry
from app.services.definitions_commands import usable_definition
from app.services.plans import backend_for
from app.services.questions import QuestionService

DEFINITION = "definition"
"""The kind of the questions for the definition that is at a git address."""
CHECK = "installation"
"""The kind of the questions for what installing a tool would do."""


class InstallationService:
    """One public method a use case."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        questions: QuestionService,
        backends: Sequence[str],
        allow_local: bool,
    ) -> None:
        """``backends`` are those of this node; ``allow_local`` accepts folders of this machine as git remotes."""
        self._database = database
        self._registry = registry
        self._questions = questions
        self._backends = tuple(backends)
        self._allow_local = allow_local

    def request(self, name: str, *, branch: str = "", commit: str = "") -> Installation:
        """Ask the agent to install a tool, or to update it; what is installed can be used until the new one is ready.

        ``commit`` wins over ``branch``; without either it is the newest of the remote's default branch.

        Raises:
            NotFound: no such tool.
            Invalid: it is no definition tool, or this node cannot run it.
            WrongState: it is being removed.
        """
        self._installable(name, branch, commit)
        with self._database.transaction() as session:
            rows = InstallationRepository(session)
            known = rows.find(name, is_locked=True)
            if known is not None and known.state == InstallationState.REMOVING:
                raise WrongState(f"The tool '{name}' is being uninstalled.", hint="Try again in a moment.")
            rows.ask(name, branch=branch, commit=commit)
            session.expire_all()
            return rows.get(name)

    def check(self, name: str, *, branch: str = "", commit: str = "") -> dict[str, Any]:
        """Give what installing a tool would do: ``commit``, ``how``, ``definition`` and ``steps``. Nothing is changed.

        Raises:
            NotFound: no such tool.
            Invalid: it cannot be installed; all that stands in the way of it is named.
            BackendFailed: the git server cannot be found, does not answer, or refuses.
            StillWorking: the agent has not answered yet.
        """
        tool = self._installable(name, branch, commit)
        body = {"tool": tool.to_dict(), "branch": branch, "commit": commit}
        return dict(self._questions.ask(CHECK, body, is_fleeting=True))

    def definition(self, url: str, branch: str = "") -> dict[str, Any]:
        """Give the definition that is at a git address, with its ``commit``, as it is at the remote now.

        Raises:
            Invalid: the address is not allowed, or there is no definition without mistakes.
            BackendFailed: the git server cannot be found, does not answer, or refuses.
            StillWorking: the agent has not answered yet.
        """
        self._check_address(url, branch)
        return dict(self._questions.ask(DEFINITION, {"url": url, "branch": branch}, is_fleeting=True))

    def get(self, name: str) -> Installation:
        """Give what is known of a tool's installation.

        Raises:
            NotFound: there is no such tool, or it is not installed here and nobody has asked for it.
        """
        with self._known(name), self._database.transaction() as session:
            return InstallationRepository(session).get(name)

    def list(self, *, after: str = "", limit: int = 100) -> Sequence[Installation]:
        """Give installations in the order of their tools' names, beginning behind ``after``."""
        with self._database.transaction() as session:
            return InstallationRepository(session).list(after=after, limit=limit)

    def help(self, name: str) -> tuple[Definition, str]:
        """Give the definition of an installed tool, and its commit.

        Raises:
            NotFound: there is no such tool, or it is not installed here.
        """
        row = self.get(name)
        definition = usable_definition(row)
        if definition is None:
            raise NotFound(
                f"The tool '{name}' is {row.state} and cannot be used yet.",
                hint=f"Look at it with: maoctl tool installed {name}",
            )
        return definition, row.commit or ""

    def request_removal(self, name: str) -> Installation:
        """Ask the agent to remove all that was installed of a tool; an installation that is under way is given up.

        Raises:
            NotFound: there is no such tool, or it is not installed here.
            WrongState: a run of it is not over.
        """
        with self._known(name), self._database.transaction() as session:
            rows = InstallationRepository(session)
            rows.get(name, is_locked=True)
            if users := rows.unfinished_runs(name):
                raise WrongState(
                    f"Run {users[0]} of the tool '{name}' is not over.",
                    hint=f"Stop it with: maoctl run stop {users[0]}",
                )
            rows.ask_removal(name)
            session.expire_all()
            return rows.get(name)

    def check_not_installed(self, name: str) -> None:
        """Make sure that nothing of a tool is installed here or under way, so that its entry may go.

        Raises:
            WrongState: something is.
        """
        with self._database.transaction() as session:
            row = InstallationRepository(session).find(name)
        if row is not None:
            raise WrongState(
                f"The tool '{name}' is installed on this node: it is {row.state}.",
                hint=f"Uninstall it first with: maoctl tool uninstall {name}",
            )

    @contextmanager
    def _known(self, name: str) -> Iterator[None]:
        """Tell a tool that is not installed from one that there is not; without the registry the first holds."""
        try:
            yield
        except NotFound:
            with suppress(RegistryDown):
                self._registry.get_tool(name)
            raise

    def _installable(self, name: str, branch: str, commit: str) -> Tool:
        tool, _ = self._registry.get_tool(name)
        if not tool.code_repo:
            raise Invalid(
                f"The tool '{name}' has no code_repo, so there is nothing to install.",
                hint="An image alone needs no installation; run it.",
            )
        self._check_address(tool.code_repo, branch, field="code_repo")
        if commit:
            checked_commit(commit)
        backend_for(tool, tool.labels, self._backends)
        return tool

    def _check_address(self, url: str, branch: str, field: str = "url") -> None:
        checked_url(url, allow_local=self._allow_local, field=field)
        if branch:
            checked_branch(branch)
