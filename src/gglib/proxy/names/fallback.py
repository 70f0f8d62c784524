"""Falls back to the next model of an alias list when a model cannot run. Pure.

Requests, loads and preloads share this rule: errors in ``CANNOT_RUN`` move on to the next model, all others end the
attempt. After the last model its error is raised.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from gglib.core import errors

CANNOT_RUN = (
    errors.ModelNotFoundError,
    errors.ModelFileNotFoundError,
    errors.ModelLoadFailedError,
    errors.ModelTooLargeError,
    errors.ModelsPinnedError,
    errors.InsufficientMemoryError,
    errors.EngineArgumentError,
    errors.BackendKeyMissingError,
    errors.BackendUnreachableError,
    errors.NoNodeError,
)
"""Errors of one model: it cannot run now, another model may. No byte of the request was sent.

Not among them: a busy or loading model (``ModelLoadingError``, ``QueueFullError``), a model that the user stopped, and
failures that every model would have (no engine, shutdown, catalogue).
"""

Candidate = TypeVar("Candidate")
Result = TypeVar("Result")


def next_candidate(others: Sequence[Candidate], error: Exception) -> tuple[Candidate, Sequence[Candidate]]:
    """Return the candidate after one that failed with ``error``, and those after it. Raises ``error`` without one."""
    if not others:
        raise error
    return others[0], others[1:]


async def first_that_runs(
    candidates: Sequence[Candidate],
    attempt: Callable[[Candidate], Awaitable[Result]],
    *,
    on_skip: Callable[[Exception, Candidate], None],
) -> Result:
    """Return the result of the first candidate, at least one, for which ``attempt`` raises no ``CANNOT_RUN`` error.

    ``on_skip`` is called with the error and the next candidate. Raises any other error at once, and the last
    candidate's error after it.
    """
    candidate, others = candidates[0], candidates[1:]
    while True:
        try:
            return await attempt(candidate)
        except CANNOT_RUN as error:
            candidate, others = next_candidate(others, error)
            on_skip(error, candidate)
