"""The warning of a certificate that expires while the server runs."""

import asyncio

from gglib.app.certificates.expiry import warned_of_expiry


async def test_a_warning_is_repeated_until_the_certificate_is_renewed() -> None:
    """Nothing is said while there is none; the end of the block ends the watch."""
    warnings: list[str] = []
    states = iter([None, "soon", "soon", None, None])
    is_over = asyncio.Event()

    def warning() -> str | None:
        try:
            return next(states)
        except StopIteration:
            is_over.set()
            return None

    async with warned_of_expiry(warning, warnings.append, interval_s=0):
        await is_over.wait()
    assert warnings == ["soon", "soon"]
