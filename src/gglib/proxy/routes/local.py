"""What only this machine may ask: what runs, and to stop it."""

import ipaddress
from dataclasses import asdict
from urllib.parse import urlsplit

import gglib
from gglib.proxy.answer import Answer
from gglib.proxy.asgi import Request
from gglib.proxy.errors import ForbiddenError
from gglib.proxy.headers import first
from gglib.proxy.interrupt import Interruptible
from gglib.proxy.options import Services


async def show_status(request: Request, answer: Answer, services: Services, block: Interruptible) -> None:
    """``GET /api/status``: what is resident, who waits, what failed."""
    del block
    _refuse_strangers(request)
    status = await services.runtime.status()
    await answer.send_json(
        {
            "version": gglib.__version__,
            "residents": [asdict(resident) for resident in status.residents],
            "waiting": [asdict(waiting) for waiting in status.waiting],
            "failed": [{"model_name": name, "reason": reason} for name, reason in status.failed],
        }
    )


async def stop_models(request: Request, answer: Answer, services: Services, block: Interruptible) -> None:
    """``POST /api/stop``: stop what runs, and say what it was."""
    del block
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
    is_here = is_loopback(request.peer_host or "") and len(hosts) == 1 and _is_loopback_authority(hosts[0])
    if is_page or not is_here:
        raise ForbiddenError("Only programs on this machine, not web pages, may use this path.")


def _is_loopback_authority(authority: bytes) -> bool:
    try:
        hostname = urlsplit(b"//" + authority).hostname
    except ValueError:
        return False
    return is_loopback((hostname or b"").decode("ascii", "replace"))


def is_loopback(host: str) -> bool:
    """Whether a name or an address can only mean this machine."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
