"""Recorded bodies as text, for people. Pure."""

from dataclasses import dataclass

from gglib.core.history.records import RecordedBodies


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyTexts:
    """The recorded bodies of a request."""

    request: str
    response: str
    is_request_cut: bool
    is_response_cut: bool
    """Whether text is missing because of the size limit."""


def body_texts(bodies: RecordedBodies) -> BodyTexts:
    """Return the bodies as text; bytes that are not UTF-8 are shown as hexadecimal escapes."""
    return BodyTexts(
        request=decoded(bodies.request),
        response=decoded(bodies.response),
        is_request_cut=bodies.is_request_cut,
        is_response_cut=bodies.is_response_cut,
    )


def decoded(body: bytes) -> str:
    """Return a body as text; bytes that are not UTF-8 are shown as hexadecimal escapes."""
    return body.decode("utf-8", "backslashreplace")
