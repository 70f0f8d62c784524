"""The rule by which the next model of an alias list is tried."""

import pytest

from gglib.core import errors
from gglib.proxy.names.fallback import CANNOT_RUN, first_that_runs, next_candidate

BYTES = {"ram": 1}
OF_ONE_MODEL: list[Exception] = [
    errors.ModelNotFoundError("a"),
    errors.ModelFileNotFoundError("a"),
    errors.ModelLoadFailedError("a", "reason"),
    errors.ModelOutOfMemoryError("a", "out of memory"),
    errors.EngineCrashLoopError("a", 3, 60.0, "signal 11"),
    errors.ModelTooLargeError("a", BYTES, BYTES),
    errors.ModelsPinnedError("a", ("b",)),
    errors.InsufficientMemoryError("a", BYTES, BYTES, 1.0),
    errors.EngineArgumentError("The engine does not support '--x'."),
    errors.BackendKeyMissingError("a", "KEY", is_set=False),
    errors.BackendUnreachableError("The server of model 'a', http://box, cannot be reached."),
    errors.NoNodeError("a", "b is down"),
]
OF_ALL_MODELS: list[Exception] = [
    errors.ModelLoadingError("a", 1.0),
    errors.QueueFullError(10, 1.0),
    errors.ModelStoppedError("a"),
    errors.EngineNotFoundError("There is no engine."),
    errors.UpstreamError("The engine closed the connection."),
    errors.CatalogError("locked"),
    errors.ShuttingDownError(),
    errors.InvalidSettingError("bad"),
    ZeroDivisionError(),
]


class Attempts:
    """Attempts that fail for some candidates, recorded in order."""

    def __init__(self, **failures: Exception) -> None:
        self.failures = failures
        self.tried: list[str] = []
        self.skipped: list[tuple[Exception, str]] = []

    async def attempt(self, name: str) -> str:
        """Return the name in capitals, or raise its failure."""
        self.tried.append(name)
        if name in self.failures:
            raise self.failures[name]
        return name.upper()

    async def run(self, *candidates: str) -> str:
        """Return the result for candidates."""
        return await first_that_runs(
            candidates, self.attempt, on_skip=lambda error, candidate: self.skipped.append((error, candidate))
        )


@pytest.mark.parametrize("error", OF_ONE_MODEL, ids=lambda error: type(error).__name__)
async def test_an_error_of_one_model_moves_on_to_the_next(error: Exception) -> None:
    """The first that runs is the result; those after it are not tried."""
    attempts = Attempts(a=error)
    assert await attempts.run("a", "b", "c") == "B"
    assert attempts.tried == ["a", "b"]
    assert attempts.skipped == [(error, "b")]


@pytest.mark.parametrize("error", OF_ALL_MODELS, ids=lambda error: type(error).__name__)
async def test_any_other_error_ends_the_attempts(error: Exception) -> None:
    """The model can run later, or no model could."""
    attempts = Attempts(a=error)
    with pytest.raises(type(error)) as raised:
        await attempts.run("a", "b")
    assert raised.value is error
    assert (attempts.tried, attempts.skipped) == (["a"], [])


@pytest.mark.parametrize("names", [("a",), ("b", "a"), ("b", "c", "a")])
async def test_the_error_of_the_last_is_raised(names: tuple[str, ...]) -> None:
    """All were tried, in order."""
    failures: dict[str, Exception] = {name: errors.ModelNotFoundError(name) for name in "abc"}
    attempts = Attempts(**failures)
    with pytest.raises(errors.ModelNotFoundError) as raised:
        await attempts.run(*names)
    assert raised.value is failures["a"]
    assert attempts.tried == list(names)


def test_the_next_candidate_comes_with_those_after_it() -> None:
    """Without one the error is raised."""
    error = errors.ModelNotFoundError("a")
    assert next_candidate(("b", "c"), error) == ("b", ("c",))
    with pytest.raises(errors.ModelNotFoundError):
        next_candidate((), error)


def test_the_rule_covers_exactly_the_errors_of_one_model() -> None:
    """Each class is in the list of this file."""
    assert {type(error) for error in OF_ONE_MODEL} >= set(CANNOT_RUN)
