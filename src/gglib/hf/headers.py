"""Which header goes where. Pure: one function decides it for every request that is sent.

The token goes to the hub's own scheme, host and port, and only as long as no redirect has led away from it: who is
elsewhere must not be able to send us back with it to a path of their choice.
"""

from gglib.hf.addresses import Address, Origin

USER_AGENT = "gglib"


def request_headers(
    address: Address,
    *,
    way: tuple[Origin, ...],
    hub: Origin,
    token: str | None,
    first_byte: int = 0,
    end_byte: int | None = None,
    validator: str | None = None,
) -> dict[str, str]:
    """Return the headers of a GET or HEAD.

    ``way`` is who redirected here, oldest first. ``first_byte`` and ``end_byte`` (exclusive) ask for a part of the
    file, which a server gives only if it still has the version that ``validator`` (a strong ETag) names.
    """
    headers = {
        "Host": address.origin.authority,
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
        # Sizes, ranges and hashes are of the file itself, not of a packed form of it.
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    if first_byte or end_byte is not None:
        headers["Range"] = f"bytes={first_byte}-{'' if end_byte is None else end_byte - 1}"
        if validator is not None:
            headers["If-Range"] = validator
    if token and address.origin == hub and all(origin == hub for origin in way):
        headers["Authorization"] = f"Bearer {token}"
    return headers
