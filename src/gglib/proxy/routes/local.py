"""What only this machine may ask: what runs, and to stop it."""

from dataclasses import asdict

import gglib
from gglib.core.addresses import is_loopback
from gglib.proxy.answer import Answer
from gglib.proxy.errors import ForbiddenError
from gglib.proxy.options import Services
from gglib.proxy.request import Request


async def show_status(request: Request, answer: Answer, services: Services) -> None:
    """``GET /api/status``: what is resident, who waits, what failed, the last swap, and counts of what was."""
    _refuse_strangers(request, services)
    status = await services.runtime.status()
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


async def stop_models(request: Request, answer: Answer, services: Services) -> None:
    """``POST /api/stop``: stop what runs, and say what it was."""
    _refuse_strangers(request, services)
    status = await services.runtime.status()
    await services.runtime.stop_current()
    await answer.send_json({"stopped": [resident.model_name for resident in status.residents]})


def _refuse_strangers(request: Request, services: Services) -> None:
    """Refuse pages in a browser, and other machines, unless they had to show a key to come so far."""
    is_page = b"origin" in request.fields or b"sec-fetch-site" in request.fields  # browsers alone send these
    is_trusted = bool(services.options.api_keys) or is_from_here(request.peer_host, request.own_host)
    if is_page or not is_trusted:
        raise ForbiddenError("Only programs on this machine, not web pages, may use this path.")


def is_from_here(peer_host: str | None, own_host: str | None) -> bool:
    """Whether a connection comes from this machine. Pure.

    A gglib that listens on one address of a network is reached from its own machine by that address only, so the
    same address on both ends is this machine too.
    """
    return peer_host is not None and (peer_host == own_host or is_loopback(peer_host))
