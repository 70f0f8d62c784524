"""An engine for gglib that repeats the last message. It needs no model's weights, only the path of the file."""

import sys
from collections.abc import Sequence
from pathlib import Path

from gglib.core.errors import EngineArgumentError
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.engines.base import EngineAbilities, LaunchRequest, PreparedLaunch, ReadyCheck

SERVER = Path(__file__).with_name("server.py")


class ExampleEngine:
    """Serves each model by ``server.py``."""

    kind = "example"
    path = None
    version = "1.0"
    description = "the example engine 1.0"
    reason = "it is the configured engine"
    warning = None
    abilities = EngineAbilities(kinds=frozenset({"chat"}))
    prompt_cost = None

    def gpu_devices(self) -> tuple[str, ...]:
        """Return no GPU: it computes nothing."""
        return ()

    def check_engine_args(self, arguments: Sequence[str]) -> None:
        """Refuse engine arguments: it has none."""
        if arguments:
            raise EngineArgumentError(f"The example engine does not take '{arguments[0]}': leave it out.")

    def check(self, spec: ModelLaunchSpec) -> None:
        """Check a model before another one is evicted for it."""
        self.check_engine_args(spec.settings.engine_args)

    def prepare(self, request: LaunchRequest) -> PreparedLaunch:
        """Plan one launch: a server on a unix socket in the launch's private directory, with its key."""
        assert request.socket_path is not None, "this example needs unix sockets"
        return PreparedLaunch(
            argv=(sys.executable, "-I", str(SERVER), str(request.socket_path), str(request.key_file)),
            ready=ReadyCheck(socket_path=request.socket_path),
            bearer_key=request.key,
        )

    def reason_for_exit(
        self, lines: Sequence[str], exit_code: int, *, was_ready: bool, memory: str | None
    ) -> str:
        """Return why the process exited: its log does not say more."""
        when = "while it ran" if was_ready else "before it was ready"
        return (
            memory
            or f"the example engine exited {when} (code {exit_code}): {lines[-1] if lines else 'no log'}"
        )
