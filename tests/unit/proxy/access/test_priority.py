"""The priority of a request: header, key, model."""

from itertools import product

import pytest

from gglib.core.priority import Priority
from gglib.http.headers import Headers
from gglib.proxy.access.priority import caller_priority, request_priority, requested_priority
from gglib.proxy.errors import BadRequestError

INTERACTIVE, BATCH = Priority.INTERACTIVE, Priority.BATCH
ANY = (None, INTERACTIVE, BATCH)


def header(*values: bytes) -> Headers:
    """Return the headers of a request."""
    return [(b"accept", b"*/*"), *((b"x-gglib-priority", value) for value in values)]


@pytest.mark.parametrize(
    ("headers", "priority"),
    [
        (header(), None),
        (header(b"batch"), BATCH),
        (header(b"interactive"), INTERACTIVE),
        (header(b" Batch\t"), BATCH),
        (header(b"batch", b"BATCH"), BATCH),
    ],
)
def test_header_names_a_priority(headers: Headers, priority: Priority | None) -> None:
    """In any case; a header that is repeated with the same value counts once."""
    assert requested_priority(headers) is priority


@pytest.mark.parametrize(
    "values", [(b"",), (b"high",), (b"0",), (b"batch, batch",), (b"batch", b"interactive"), (b"\xff",)]
)
def test_other_values_are_refused(values: tuple[bytes, ...]) -> None:
    """The message has the valid values."""
    with pytest.raises(BadRequestError, match="must be 'interactive' or 'batch'"):
        requested_priority(header(*values))


@pytest.mark.parametrize(
    ("requested", "key", "priority"),
    [
        (None, None, None),
        (None, BATCH, BATCH),
        (None, INTERACTIVE, INTERACTIVE),
        (INTERACTIVE, None, INTERACTIVE),
        (BATCH, None, BATCH),
        (BATCH, INTERACTIVE, BATCH),
        (INTERACTIVE, INTERACTIVE, INTERACTIVE),
        (INTERACTIVE, BATCH, BATCH),
        (BATCH, BATCH, BATCH),
    ],
)
def test_header_precedes_the_key_but_cannot_raise_it(
    requested: Priority | None, key: Priority | None, priority: Priority | None
) -> None:
    """A key for batch jobs stays one whatever its requests claim."""
    assert caller_priority(requested, key) is priority


@pytest.mark.parametrize(("caller", "model"), list(product(ANY, ANY)))
def test_model_decides_last(caller: Priority | None, model: Priority | None) -> None:
    """Caller, else model, else interactive."""
    first = next((priority for priority in (caller, model) if priority is not None), INTERACTIVE)
    assert request_priority(caller, model) is first
