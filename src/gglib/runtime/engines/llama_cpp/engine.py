"""What llama.cpp's servers have in common as engines: plan, readiness, stop and the reason of an exit."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence

from gglib.core.models import ModelLaunchSpec
from gglib.runtime.engines.base import (
    STOP_ESCALATION,
    EngineAbilities,
    LaunchRequest,
    PreparedLaunch,
    PromptCost,
    ReadyCheck,
)
from gglib.runtime.engines.llama_cpp.exit_reasons import reason_for_exit
from gglib.runtime.engines.llama_cpp.launch_plan import LaunchPlan, plan_of
from gglib.runtime.engines.llama_cpp.options.reserved import check_extra_args
from gglib.runtime.engines.llama_cpp.prompt_cost import prompt_cost_s
from gglib.runtime.engines.llama_cpp.slot_files import slot_files
from gglib.runtime.engines.llama_cpp.threads import known_threads

_LISTENING = re.compile(r"listening on (?:http://)?127\.0\.0\.1:(\d+)\s*$", re.MULTILINE)
OPTION_VARIABLES = ("LLAMA_", "GGML_LOG")
"""llama-server also reads options from the environment, which would apply silently."""


class LlamaCppEngine(ABC):
    """A way to run llama.cpp's server; a subclass builds its command line."""

    abilities = EngineAbilities(has_estimate=True)
    prompt_cost = PromptCost(paths=(b"/slots", b"/metrics"), seconds=prompt_cost_s)

    def check(self, spec: ModelLaunchSpec) -> None:
        """Raise ``EngineArgumentError`` for an argument of the model that this engine does not support."""
        check_extra_args(spec.settings.extra_args)
        if spec.settings.engine_args:
            self.check_engine_args(spec.settings.engine_args)

    @abstractmethod
    def check_engine_args(self, arguments: Sequence[str]) -> None:
        """Raise ``EngineArgumentError`` for an engine argument that this engine does not support."""

    @abstractmethod
    def command(self, plan: LaunchPlan) -> list[str]:
        """Return the argv of a launch, after writing the files that the engine reads. May block for seconds.

        Raises ``EngineArgumentError`` for a model's engine argument that this engine does not support, and
        ``EngineBrokenError`` if the engine's program cannot run.
        """

    @property
    @abstractmethod
    def build(self) -> str:
        """Identifies the engine and its build, for saved slots. May block and raise as ``command`` does."""

    def can_save_slots(self) -> bool:
        """Whether slots can be saved to files. May block and raise as ``command`` does."""
        return True

    def prepare(self, request: LaunchRequest) -> PreparedLaunch:
        """Plan a launch and return its command. Raises as ``command`` does."""
        plan = plan_of(request)
        saves_slots = self.can_save_slots()
        return PreparedLaunch(
            argv=tuple(self.command(plan)),
            environment=plan.environment,
            dropped_variables=OPTION_VARIABLES,
            ready=ReadyCheck(
                socket_path=plan.socket_path, find_port=listening_port if plan.socket_path is None else None
            ),
            bearer_key=request.key,
            stop_escalation=STOP_ESCALATION,
            slots=plan.slots,
            prompt_cache_mib=plan.cache_ram_mib,
            threads=known_threads(plan.spec.settings.engine_args, plan.threads),
            slot_directory=plan.slot_directory if saves_slots else None,
            slot_files=slot_files(plan, self.build) if saves_slots else None,
            has_private_files=True,
        )

    def reason_for_exit(
        self, lines: Sequence[str], exit_code: int, *, was_ready: bool, memory: str | None
    ) -> str:
        """Return why it exited: see ``exit_reasons``."""
        return reason_for_exit(lines, exit_code, was_ready=was_ready, memory=memory)


def listening_port(lines: Sequence[str]) -> int | None:
    """Return the port that the kernel chose, which the server logs after the load; None before. Pure."""
    ports = _LISTENING.findall("\n".join(lines))
    return int(ports[-1]) if ports else None
