"""Prepares recorded bodies for storage: streams are assembled, data is described, secrets are removed. Pure.

Takes milliseconds for long bodies, so it runs in the thread that writes the history.
"""

from collections.abc import Iterable
from dataclasses import replace

from gglib.core.history.body_texts import decoded
from gglib.core.history.embedded_data import without_data, without_numbers
from gglib.core.history.recording_gap import split_at_gap
from gglib.core.history.records import RecordedBodies
from gglib.core.history.secrets import SecretRemover
from gglib.core.history.stream_parts import join_around_gaps, without_last_word
from gglib.core.history.streams import assembled

MAX_BYTES = 256 * 1024
"""Limit of each stored body, after a stream is assembled."""


class BodyRedactor:
    """Prepares bodies for storage. ``own_keys`` are the access keys of the server: they are removed in any form."""

    __slots__ = ("_own_keys", "_remover")

    def __init__(self, own_keys: Iterable[str] = ()) -> None:
        self._own_keys = frozenset(own_keys)
        self._remover = SecretRemover(self._own_keys)

    def add_keys(self, own_keys: Iterable[str]) -> None:
        """Remove these keys, too, from now on; earlier ones, since a revoked key may be valid elsewhere."""
        keys = self._own_keys.union(own_keys)
        if keys != self._own_keys:
            self._own_keys, self._remover = keys, SecretRemover(keys)

    def redact(self, bodies: RecordedBodies) -> RecordedBodies:
        """Return the bodies for storage, in UTF-8. Never raises for any bodies; from any thread."""
        request, is_request_cut = self._stored(_request_text(bodies), is_cut=bodies.is_request_cut)
        response, is_response_cut = self._stored(_response_text(bodies), is_cut=bodies.is_response_cut)
        return replace(
            bodies,
            request=request,
            response=response,
            is_request_cut=is_request_cut,
            is_response_cut=is_response_cut,
        )

    def _stored(self, text: str, *, is_cut: bool) -> tuple[bytes, bool]:
        body = self._remover.clean(without_data(text)).encode("utf-8", "backslashreplace")
        if len(body) <= MAX_BYTES:
            return body, is_cut
        return body[:MAX_BYTES].decode("utf-8", "ignore").encode(), True


def _request_text(bodies: RecordedBodies) -> str:
    if b"\0" in bodies.request:
        return _not_text(bodies.request)
    text = decoded(bodies.request)
    return without_numbers(without_last_word(text) if bodies.is_request_cut else text)


def _response_text(bodies: RecordedBodies) -> str:
    if b"\0" in bodies.response:
        return _not_text(bodies.response)
    text = decoded(bodies.response)
    if bodies.is_stream:
        return assembled(text)
    before, after, missing_bytes = split_at_gap(text)
    if not missing_bytes:
        return without_numbers(text)
    return without_numbers(join_around_gaps([before, after]))


def _not_text(body: bytes) -> str:
    """Return the replacement of a body in another encoding, in which secrets could not be found."""
    return f"[{len(body)} bytes that are not UTF-8]"
