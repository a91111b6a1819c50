"""Tools in the registry: who may register, change and remove them, and what an entry may say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.errors import Invalid, NotFound
from app.models.names import NAME_PATTERN
from app.models.token import Identity
from app.models.tool import Tool
from app.repositories.git_urls import checked_url
from app.repositories.registry import Registry
from app.services import tool_rules
from app.services.ownership import check_may_change, check_may_register, named, required_revision

_GIT_ADDRESS = re.compile(r"ssh://\S+|[^\s/:]+@[^\s/:]+:\S+|\w+://\S+\.git/?")
"""What is meant for git. Other text tells people where the code is, and is not looked at."""


class ToolService:
    """The use cases of the tools' registry. Each entry comes with its revision, which changes with every change."""

    def __init__(
        self, registry: Registry, node: str, allow_local: bool, check_not_installed: Callable[[str], None]
    ) -> None:
        """``node`` owns what is registered here; ``allow_local`` accepts folders of this machine as git remotes.

        ``check_not_installed`` refuses the name of a tool that this node has installed.
        """
        self._registry = registry
        self._check_not_installed = check_not_installed
        self._node = node
        self._allow_local = allow_local

    def get(self, name: str) -> tuple[Tool, int]:
        """Give a tool.

        Raises:
            NotFound: there is none; the nearest known name is the hint.
        """
        return self._registry.get_tool(name)

    def list(self, *, after: str = "", limit: int = 100) -> Sequence[tuple[Tool, int]]:
        """Give tools in the order of their names, beginning behind ``after``."""
        return self._registry.list_tools(after=after, limit=limit)

    def register(self, identity: Identity, values: Mapping[str, Any], revision: int | None = None) -> tuple[Tool, int]:
        """Register a tool for this node; with a revision, replace the entry that had it.

        Raises:
            AlreadyExists: the name is taken, and no revision was given.
            Invalid: the entry breaks a rule.
        """
        if revision is not None:
            return self.update(identity, str(values["name"]), values, revision)
        check_may_register(identity)
        tool = self._checked(values, owner=self._node)
        return tool, self._registry.add_tool(tool)

    def update(
        self, identity: Identity, name: str, values: Mapping[str, Any], revision: int | None
    ) -> tuple[Tool, int]:
        """Replace a tool's entry; its owner stays.

        Raises:
            NotFound: there is no such tool.
            Forbidden: another node owns it.
            RevisionRequired: no revision was given.
            StaleRevision: it was changed since.
            Invalid: the new entry breaks a rule.
        """
        current, _ = self._changeable(identity, name)
        known = required_revision(revision, f"The tool '{name}'")
        tool = self._checked(named(values, name), owner=current.owner)
        return tool, self._registry.replace_tool(tool, known)

    def remove(self, identity: Identity, name: str, revision: int | None = None) -> None:
        """Remove a tool; with a revision, only if it is still the newest.

        Raises:
            NotFound: there is no such tool.
            Forbidden: another node owns it.
            WrongState: it is installed on this node.
            StaleRevision: it was changed since.
        """
        _, newest = self._changeable(identity, name)
        self._check_not_installed(name)
        self._registry.remove_tool(name, newest if revision is None else revision)

    def _changeable(self, identity: Identity, name: str) -> tuple[Tool, int]:
        tool, revision = self._registry.get_tool(name)
        check_may_change(identity, node=self._node, owner=tool.owner, what=f"The tool '{name}'")
        return tool, revision

    def _checked(self, values: Mapping[str, Any], owner: str) -> Tool:
        broken = tool_rules.broken_rules({key: given for key, given in values.items() if key != "image" or given})
        broken.update(self._broken_data_repo(str(values["data_repo"])))
        broken.update(self._broken_code_repo(str(values["code_repo"]), is_needed=not values["image"]))
        if broken:
            raise Invalid(f"The entry of the tool '{str(values['name'])[:80]}' breaks a rule.", fields=broken)
        return Tool.from_dict({**values, "owner": owner})

    def _broken_code_repo(self, code_repo: str, *, is_needed: bool) -> tool_rules.BrokenRules:
        """Check an address from which code may be installed; without an image there is nothing else to run."""
        if is_needed and not code_repo:
            return {"image": ["May be empty only where code_repo is the git address of a definition tool."]}
        if is_needed or _GIT_ADDRESS.fullmatch(code_repo):
            try:
                checked_url(code_repo, allow_local=self._allow_local, field="code_repo")
            except Invalid as error:
                return error.fields
        return {}

    def _broken_data_repo(self, data_repo: str) -> tool_rules.BrokenRules:
        try:
            if re.fullmatch(NAME_PATTERN, data_repo):
                self._registry.get_dataset(data_repo)
            elif data_repo:
                checked_url(data_repo, allow_local=self._allow_local, field="data_repo")
        except NotFound as error:
            return {"data_repo": [" ".join(filter(None, (error.message, error.hint)))]}
        except Invalid as error:
            return error.fields
        return {}
