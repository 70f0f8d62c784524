"""What runs, and to stop it: for who is trusted."""

from dataclasses import asdict

import gglib
from gglib.proxy.answer import Answer
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.schemas import ref

GROUP = "What runs"


async def show_status(call: Call, answer: Answer) -> None:
    """Answer with what is resident, who waits, what failed, the last swap, and counts of what was."""
    status = await call.services.runtime.status()
    await answer.send_json(
        {
            "version": gglib.__version__,
            "residents": [asdict(resident) for resident in status.residents],
            "waiting": [asdict(waiting) for waiting in status.waiting],
            "failed": [{"model_name": name, "reason": reason} for name, reason in status.failed],
            "last_swap": None if status.last_swap is None else asdict(status.last_swap),
            "swaps": [asdict(swaps) for swaps in status.swaps],
            "loads": [asdict(loads) for loads in status.loads],
        }
    )


async def stop_models(call: Call, answer: Answer) -> None:
    """Stop what runs, and say what it was."""
    runtime = call.services.runtime
    status = await runtime.status()
    await runtime.stop_current()
    await answer.send_json({"stopped": [resident.model_name for resident in status.residents]})


OPERATIONS = (
    operation(
        show_status,
        id="showStatus",
        method="GET",
        path="/api/status",
        group=GROUP,
        summary="Show what is in memory, who waits, the last swap, and counts",
        text="As `gglib ps --json`.",
        answer=ref("Status"),
    ),
    operation(
        stop_models,
        id="stopModels",
        method="POST",
        path="/api/stop",
        group=GROUP,
        summary="Take what is in memory out of it",
        text="As `gglib stop`.",
        answer=ref("Stopped"),
    ),
)
