"""From a run's row to what its backend is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

from app.executors.base import Limits, RunRequest
from app.models.run import Run
from app.models.tool import Profile, Tool
from app.services.agent_context import AgentContext
from app.services.file_mounts import mounted_files
from app.services.installations_code import code_of
from app.services.replay_plans import plan_of
from app.services.runtime_variables import filled_in
from app.services.secrets import secrets_dir_of
from app.services.webhooks import webhook_id


def tool_of(run: Run) -> Tool:
    """Give the registry entry that the run was planned with."""
    return Tool.from_dict(run.tool_entry or {})


def run_date(run: Run) -> str:
    """Give the day that the run is about, ISO and in UTC: of its due instant, else of its submission."""
    return (run.due_at or run.submitted_at or run.defined_at).astimezone(UTC).date().isoformat()


def timeout_of(context: AgentContext, run: Run) -> int:
    """Give the run's time limit in seconds: the run's own, the tool's or the node's."""
    given = run.parameters.get("timeout_seconds") or tool_of(run).timeout_seconds
    return int(given or context.settings.limits.timeout_seconds)


def request_for(context: AgentContext, run: Run, data_dir: str | None) -> RunRequest:
    """Build the request for the run's present attempt."""
    tool = tool_of(run)
    code, words = code_of(context, run) or (None, run.parameters.get("command") or tool.command)
    command, env = _filled_in(run, words, _environment(context, run, tool))
    return RunRequest(
        run_id=run.id,
        attempt=run.attempt,
        node=run.node or context.node,
        installation=context.installation,
        tool=run.tool,
        image=tool.image,
        limits=_limits(context, run, tool),
        command=command,
        env=env,
        data_dir=data_dir,
        network=tool.network,
        user=tool.user,
        profile=Profile(run.profile),
        files=mounted_files(context, run),
        secrets_dir=secrets_dir_of(context, run),
        code=code,
    )


def _limits(context: AgentContext, run: Run, tool: Tool) -> Limits:
    defaults = context.settings.limits
    return Limits(
        memory_mb=tool.memory_mb or defaults.memory_mb,
        cpus=tool.cpus or defaults.cpus,
        pids=tool.pids or defaults.pids,
        timeout_seconds=timeout_of(context, run),
    )


def _filled_in(run: Run, command: Iterable[str], env: dict[str, str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Put the values of runtime variables into a command and an environment, where the run asks for it."""
    if not run.has_runtime_variables:
        return tuple(command), env
    first = plan_of(run)
    submitter, run_id = (first.submitter, first.run_id) if first else (run.submitter, run.id)
    variables = {"SUBMITTER": submitter, "RUNID": str(run_id), "WEBHOOKID": env["MAO_WEBHOOK_ID"]}
    filled = {name: filled_in(value, variables) for name, value in env.items()}
    return tuple(filled_in(argument, variables) for argument in command), filled


def _environment(context: AgentContext, run: Run, tool: Tool) -> dict[str, str]:
    webhook, first = webhook_id(run.id, context.webhook_key), plan_of(run)
    ours = {
        "MAO_RUN_ID": str(first.run_id if first else run.id),
        "MAO_TOOL": run.tool,
        "MAO_NODE": first.node if first else context.node,
        "MAO_OPERATOR": context.settings.working_environment.user,
        "MAO_DATE": run_date(run),
        "MAO_WEBHOOK_ID": webhook,
        "MAO_WEBHOOK_URL": f"{context.settings.api.url}/api/webhooks/runs/{webhook}",
    }
    if run.lock_token is not None:
        ours["MAO_LOCK_TOKEN"] = str(run.lock_token)
    return {**tool.env, **(run.parameters.get("env") or {}), **ours}
