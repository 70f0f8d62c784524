"""What only this machine may ask: what runs, and to stop it."""

from collections.abc import Sequence
from dataclasses import asdict
from urllib.parse import urlsplit

import gglib
from gglib.core.addresses import is_loopback
from gglib.proxy.answer import Answer
from gglib.proxy.errors import ForbiddenError
from gglib.proxy.headers import first
from gglib.proxy.options import Services
from gglib.proxy.request import Request


async def show_status(request: Request, answer: Answer, services: Services) -> None:
    """``GET /api/status``: what is resident, who waits, what failed, and the last swap."""
    _refuse_strangers(request)
    status = await services.runtime.status()
    await answer.send_json(
        {
            "version": gglib.__version__,
            "residents": [asdict(resident) for resident in status.residents],
            "waiting": [asdict(waiting) for waiting in status.waiting],
            "failed": [{"model_name": name, "reason": reason} for name, reason in status.failed],
            "last_swap": None if status.last_swap is None else asdict(status.last_swap),
        }
    )


async def stop_models(request: Request, answer: Answer, services: Services) -> None:
    """``POST /api/stop``: stop what runs, and say what it was."""
    _refuse_strangers(request)
    status = await services.runtime.status()
    await services.runtime.stop_current()
    await answer.send_json({"stopped": [resident.model_name for resident in status.residents]})


def _refuse_strangers(request: Request) -> None:
    """Refuse other machines, and pages in this machine's browser.

    A page's requests carry ``Origin``; one that reaches us under a name of its own (DNS rebinding) shows it in
    ``Host``. Both are beyond the page's control.
    """
    is_page = first(request.headers, b"origin") is not None
    hosts = [value for name, value in request.headers if name == b"host"]
    if is_page or not is_from_here(request.peer_host, request.own_host, hosts):
        raise ForbiddenError("Only programs on this machine, not web pages, may use this path.")


def is_from_here(peer_host: str | None, own_host: str | None, hosts: Sequence[bytes]) -> bool:
    """Whether a request comes from this machine and calls it by a name that can only mean this machine. Pure.

    A gglib that listens on one address of a network is reached from its own machine by that address only, so the
    same address on both ends is this machine too.
    """
    own = own_host if own_host == peer_host else None
    is_here = own is not None or is_loopback(peer_host or "")
    return is_here and len(hosts) == 1 and _is_local_authority(hosts[0], own)


def _is_local_authority(authority: bytes, own: str | None) -> bool:
    try:
        hostname = urlsplit(b"//" + authority).hostname
    except ValueError:
        return False
    name = (hostname or b"").decode("ascii", "replace")
    return bool(name) and (name == own or is_loopback(name))
