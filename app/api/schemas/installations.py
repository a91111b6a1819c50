"""Definitions and installations of tools as JSON."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from app.api.schemas.base import CamelSchema, Flag, page_schema
from app.models.definition import INTERPRETERS
from app.models.installation import How, InstallationState
from app.services.tool_rules import TEXT_LENGTH

BRANCH_LENGTH = 200
COMMIT_LENGTH = 64
STATES = [str(state) for state in InstallationState]
HOWS = [str(how) for how in How]


class NewInstallation(CamelSchema):
    """What to install; without a body it is the newest commit of the remote's default branch."""

    branch = fields.String(load_default="", validate=validate.Length(max=BRANCH_LENGTH), metadata={"example": "main"})
    commit = fields.String(
        load_default="",
        validate=validate.Length(max=COMMIT_LENGTH),
        metadata={"description": "The whole name of a commit; wins over the branch."},
    )
    dry_run = Flag(
        load_default=False, metadata={"description": "Say what would happen, and change nothing.", "example": False}
    )


class DefinitionQuery(ma.Schema):
    """Where a definition is looked for."""

    url = fields.String(
        required=True,
        validate=validate.Length(max=TEXT_LENGTH),
        metadata={"description": "A git address, without credentials."},
    )
    branch = fields.String(
        load_default="",
        validate=validate.Length(max=BRANCH_LENGTH),
        metadata={"description": "Empty: the remote's own default."},
    )


class ArgumentSchema(CamelSchema):
    """One word that a command is given."""

    name = fields.String()
    description = fields.String()


class StepSchema(CamelSchema):
    """A script of the repository."""

    interpreter = fields.String(metadata={"enum": [*INTERPRETERS]})
    script = fields.String()


class CommandSchema(CamelSchema):
    """One thing that a tool can do."""

    name = fields.String()
    description = fields.String()
    step = fields.Nested(StepSchema)
    arguments = fields.List(fields.Nested(ArgumentSchema))


class DefinitionSchema(CamelSchema):
    """What a repository's mao.yml says."""

    version = fields.String()
    name = fields.String()
    description = fields.String()
    local = fields.String(metadata={"description": "Where the scripts expect their data."})
    repo_name = fields.String()
    remote = fields.String()
    installer = fields.Nested(StepSchema, allow_none=True)
    commands = fields.List(fields.Nested(CommandSchema))


class InstallationItem(CamelSchema):
    """A tool's installation on this node, or the wish for it."""

    name = fields.String()
    state = fields.String(metadata={"enum": STATES})
    is_usable = fields.Boolean(metadata={"description": "Whether runs find it, be it an older commit."})
    branch = fields.String()
    wanted_commit = fields.String()
    code_url = fields.String(allow_none=True)
    commit = fields.String(allow_none=True)
    how = fields.String(allow_none=True, metadata={"enum": [*HOWS, None]})
    message = fields.String()
    installed_time = fields.AwareDateTime(attribute="installed_at", allow_none=True)
    updated_time = fields.AwareDateTime(attribute="updated_at")


class InstallationSchema(InstallationItem):
    """The same, with what it can do; with dryRun, what it would be."""

    definition = fields.Nested(DefinitionSchema, allow_none=True)
    log = fields.String(metadata={"description": "The end of what the last installer printed."})
    steps = fields.List(fields.String(), metadata={"description": "With dryRun: what would be done."})


class RequestedInstallation(InstallationSchema):
    """The same; with dryRun, while the agent is still looking, the form of an error that says so."""

    class Meta:
        """An error has keys that are not described here."""

        unknown = ma.INCLUDE


class HelpCommand(CommandSchema):
    """A command with the way to call it."""

    usage = fields.String(metadata={"example": "count YEAR"})


class HelpSchema(CamelSchema):
    """What an installed tool can do."""

    name = fields.String()
    description = fields.String()
    commit = fields.String()
    commands = fields.List(fields.Nested(HelpCommand))


class FoundDefinition(CamelSchema):
    """The definition at a git address."""

    url = fields.String()
    commit = fields.String()
    definition = fields.Nested(DefinitionSchema)


InstallationPage = page_schema(InstallationItem, "InstallationPage")
