"""Which header is sent to which host. Pure: one function decides it for every request.

The token is sent to the hub's own scheme, host and port only, and not after a redirect through another origin: other
servers must not be able to send us back with it to a path of their choice.
"""

from dataclasses import dataclass

from gglib.hf.transport.urls import Address, Origin

USER_AGENT = "gglib"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request; without ``first_byte`` and ``end_byte`` (exclusive) for the whole file."""

    address: Address
    method: str = "GET"
    first_byte: int = 0
    end_byte: int | None = None
    validator: str | None = None
    """A strong ETag: a range is sent only from the version that it names."""


def request_headers(
    request: Request, address: Address, *, redirected_from: tuple[Origin, ...], hub: Origin, token: str | None
) -> dict[str, str]:
    """Return the headers of a request to ``address``.

    ``redirected_from`` are the origins that redirected there, oldest first.
    """
    first, end = request.first_byte, request.end_byte
    headers = {
        "Host": address.origin.authority,
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
        # Sizes, ranges and hashes are those of the file itself, not of a compressed form.
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    if first or end is not None:
        headers["Range"] = f"bytes={first}-{'' if end is None else end - 1}"
        if request.validator is not None:
            headers["If-Range"] = request.validator
    if token and address.origin == hub and all(origin == hub for origin in redirected_from):
        headers["Authorization"] = f"Bearer {token}"
    return headers
