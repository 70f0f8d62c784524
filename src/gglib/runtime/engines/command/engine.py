"""A command as an engine: any program that serves one model over HTTP."""

import os
import shutil
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gglib.core.backends import CommandBackend
from gglib.core.command_templates import check_template, expand, placeholders
from gglib.core.errors import InvalidSettingError, ModelLoadFailedError
from gglib.core.models import NO_FILE, ModelLaunchSpec
from gglib.core.shell_quoting import quoted_command
from gglib.runtime.engines.base import (
    LaunchRequest,
    PreparedLaunch,
    PromptCost,
    ReadyCheck,
    StopEscalation,
)
from gglib.runtime.engines.command.exit_reason import reason_for_exit
from gglib.runtime.engines.command.ports import ReservedPort

STOP_S = 4.0
"""How long a command may take to exit after its stop signal."""
KILL_S = 3.0
START_TIMEOUT_S = 600.0
"""How long a command may take to become ready by default. A growing log is no progress: probes may be logged."""
_UNBUFFERED = {"PYTHONUNBUFFERED": "1"}
"""Python programs write their log at once: it explains an exit."""


@dataclass(frozen=True, slots=True)
class CommandEngine:
    """The engine of one model that is served by a command."""

    backend: CommandBackend
    prompt_cost: PromptCost | None = None

    def check(self, spec: ModelLaunchSpec) -> None:
        """Check the words, the program and the directory. Raises ``ModelLoadFailedError``."""
        try:
            check_template(
                self.backend.argv,
                has_unix_sockets=hasattr(socket, "AF_UNIX"),
                has_file=spec.path != NO_FILE,
            )
        except InvalidSettingError as error:
            raise ModelLoadFailedError(spec.model_name, _as_phrase(error)) from None
        self._program(spec)

    def prepare(self, request: LaunchRequest) -> PreparedLaunch:
        """Reserve a port if the command needs one, and fill in the placeholders. Raises as ``check`` does."""
        spec, used = request.spec, placeholders(self.backend.argv)
        program = self._program(spec)
        port = ReservedPort() if "port" in used else None
        try:
            words = expand(self.backend.argv, _values(request, port))
        except InvalidSettingError as error:
            if port is not None:
                port.release()
            raise ModelLoadFailedError(spec.model_name, _as_phrase(error)) from None
        key = request.key if used & {"key", "key_file"} else None
        return PreparedLaunch(
            argv=(program, *words[1:]),
            environment={} if "PYTHONUNBUFFERED" in os.environ else _UNBUFFERED,
            directory=self.backend.directory or Path("/"),
            logs_stdout=True,
            starts_processes=True,
            ready=ReadyCheck(
                socket_path=None if port is not None else request.socket_path,
                port=None if port is None else port.number,
                health_path=self.backend.health_path,
                key=key,
                logs_probes=True,
                checks_owner=True,
            ),
            bearer_key=key,
            served_name=self.backend.model or spec.model_name,
            stop_escalation=self._stop_escalation(),
            start_timeout_s=self.backend.start_timeout_s or START_TIMEOUT_S,
            slots=self.backend.slots,
            before_spawn=port.release if port is not None else lambda: None,
        )

    def reason_for_exit(
        self,
        lines: Sequence[str],
        exit_code: int,
        *,
        was_ready: bool,  # noqa: ARG002 - the last line explains both
        memory: str | None,
    ) -> str:
        """Return why the command exited."""
        return reason_for_exit(lines, exit_code, memory=memory)

    def _stop_escalation(self) -> StopEscalation:
        asked = signal.Signals[f"SIG{self.backend.stop_signal}"]
        killed = (signal.SIGKILL, KILL_S)
        return (killed,) if asked is signal.SIGKILL else ((asked, STOP_S), killed)

    def _program(self, spec: ModelLaunchSpec) -> str:
        """Return the absolute path of the program. Raises ``ModelLoadFailedError``."""
        directory, name = self.backend.directory or Path("/"), self.backend.argv[0]
        if not directory.is_dir():
            raise ModelLoadFailedError(
                spec.model_name,
                f"the directory of its command, {directory}, does not exist: make it, or set another one with "
                f"{quoted_command('set', '--directory', 'DIR', spec.model_name)}",
            )
        search = dict(spec.settings.environment).get("PATH", os.environ.get("PATH"))
        # A word with a slash is relative to the command's directory, not to that of gglib.
        found = shutil.which(str(directory / name)) if "/" in name else shutil.which(name, path=search)
        if found is None:
            raise ModelLoadFailedError(
                spec.model_name,
                f"the program '{name}' of its command cannot be found or executed: install it, or write its "
                "absolute path in the command",
            )
        return str(Path(found).absolute())


def _values(request: LaunchRequest, port: ReservedPort | None) -> dict[str, str]:
    spec = request.spec
    values = {
        "ctx": str(request.context),
        "name": spec.model_name,
        "key": request.key,
        "key_file": str(request.key_file),
    }
    if port is not None:
        values["port"] = str(port.number)
    if request.socket_path is not None:
        values["socket"] = str(request.socket_path)
    if spec.path != NO_FILE:
        values["model"] = str(spec.path)
    return values


def _as_phrase(error: InvalidSettingError) -> str:
    """Return a sentence as the end of another one."""
    text = str(error).removesuffix(".")
    return text[:1].lower() + text[1:]
