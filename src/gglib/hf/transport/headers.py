"""Which header goes where. Pure: one function decides it for every request that is sent.

The token goes to the hub's own scheme, host and port, and only as long as no redirect has led away from it: who is
elsewhere must not be able to send us back with it to a path of their choice.
"""

from dataclasses import dataclass

from gglib.hf.transport.urls import Address, Origin

USER_AGENT = "gglib"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for; without ``first_byte`` and ``end_byte`` (exclusive): the whole file."""

    address: Address
    method: str = "GET"
    first_byte: int = 0
    end_byte: int | None = None
    validator: str | None = None
    """A strong ETag: a part is sent only of the version that it names."""


def request_headers(
    request: Request, address: Address, *, way: tuple[Origin, ...], hub: Origin, token: str | None
) -> dict[str, str]:
    """Return the headers of a request when it has come to ``address``; ``way`` is who redirected, oldest first."""
    first, end = request.first_byte, request.end_byte
    headers = {
        "Host": address.origin.authority,
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
        # Sizes, ranges and hashes are of the file itself, not of a packed form of it.
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    if first or end is not None:
        headers["Range"] = f"bytes={first}-{'' if end is None else end - 1}"
        if request.validator is not None:
            headers["If-Range"] = request.validator
    if token and address.origin == hub and all(origin == hub for origin in way):
        headers["Authorization"] = f"Bearer {token}"
    return headers
