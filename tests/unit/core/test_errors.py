"""Messages, codes and attributes of the errors."""

import inspect
from pathlib import Path

import pytest
from tests.support.golden import Golden

from gglib.core import errors
from gglib.core.errors import (
    CatalogError,
    DownloadNotFoundError,
    EngineArgumentError,
    EngineBrokenError,
    EngineCrashLoopError,
    EngineDiedError,
    GglibError,
    InsufficientMemoryError,
    ModelFileNotFoundError,
    ModelLoadFailedError,
    ModelLoadingError,
    ModelNotFoundError,
    ModelOutOfMemoryError,
    ModelsPinnedError,
    ModelStoppedError,
    ModelTooLargeError,
    ProfileNotFoundError,
    QueueFullError,
    ShuttingDownError,
)

GB = 10**9
ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, GglibError)]


def test_unrelated_errors_have_different_codes() -> None:
    """Each code is defined by a single class; subclasses may inherit it."""
    defined_codes = [vars(kind)["code"] for kind in ALL if "code" in vars(kind)]
    assert len(defined_codes) > 10
    assert len(defined_codes) == len(set(defined_codes))


def test_a_catalogue_error_shows_its_directory_only_on_this_machine() -> None:
    """Clients of the proxy see the name of the file."""
    error = CatalogError("catalog.db is locked: catalog.db", path=Path("/home/ada/catalog.db"))
    assert str(error) == "catalog.db is locked: catalog.db"
    assert error.with_full_path() == "/home/ada/catalog.db is locked: catalog.db"
    assert CatalogError("The catalogue is full.").with_full_path() == "The catalogue is full."


@pytest.mark.parametrize(
    ("error", "words", "absent"),
    [
        (ModelNotFoundError("x"), [], ["has", "mean", "empty"]),
        (ModelNotFoundError("x", ("a", "b")), ["Did you mean a or b?"], ["has"]),
        (ModelNotFoundError("x", ("X", "x"), is_ambiguous=True), ["ambiguous", "X, x"], ["mean"]),
        (ModelNotFoundError("x", total=0), ["empty", "gglib pull", "gglib add"], ["mean"]),
        (ModelNotFoundError("x", total=1), [], ["has", "empty"]),
        (ModelNotFoundError("x", others=("a", "b")), ["It has a, b."], ["more"]),
        (ModelNotFoundError("x").limited(), ["this API key may use."], ["catalogue"]),
        (
            ModelNotFoundError("x", ("a", "b")).limited(),
            ["API key may use. Did you mean a or b?"],
            ["catalogue"],
        ),
        (ModelNotFoundError("x", ("X", "x"), is_ambiguous=True).limited(), ["ambiguous", "X, x"], ["mean"]),
        (ModelNotFoundError("x", total=0).limited(), ["none: change 'models'"], ["catalogue", "gglib pull"]),
        (
            ModelNotFoundError("x", others=("a",), total=3).limited(),
            ["use: a and 2 more."],
            ["catalogue", "list"],
        ),
        (ModelNotFoundError("x", others=("a", "b"), total=2), ["It has a, b."], ["more"]),
        (ModelNotFoundError("x", others=("a", "b"), total=3), ["It has a, b and 1 more", "gglib list"], []),
        (ModelNotFoundError("x", ("a",), others=("b",), total=3), ["mean a?"], ["has"]),
    ],
)
def test_an_unknown_name_gets_suggestions(
    error: ModelNotFoundError, words: list[str], absent: list[str]
) -> None:
    """Similar names, else names from the catalogue, else the commands that add a model."""
    assert "'x'" in str(error)
    assert all(word in str(error) for word in words)
    assert not any(f" {word} " in str(error) for word in absent)


@pytest.mark.parametrize(
    ("error", "words", "absent"),
    [
        (ModelFileNotFoundError("m"), ["The file of model 'm'", "restore it", "'gglib rm m'"], ["verify"]),
        (ModelFileNotFoundError("m", "b.gguf"), ["'b.gguf'", "restore it"], ["verify"]),
        (ModelFileNotFoundError("m", is_own=True), ["'gglib verify m'", "'gglib rm m'"], [": restore it"]),
        (ModelFileNotFoundError("a b"), ["\"gglib rm 'a b'\""], []),
    ],
)
def test_a_missing_file_has_a_remedy(
    error: ModelFileNotFoundError, words: list[str], absent: list[str]
) -> None:
    """The user puts back an own file; ``verify`` shows how a downloaded file is restored."""
    assert all(word in str(error) for word in words)
    assert not any(word in str(error) for word in absent)


def test_a_broken_engine_names_its_path_and_another_engine() -> None:
    """The user can repair the engine or use the embedded one."""
    error = EngineBrokenError(Path("/opt/llama-server"), "it is empty")
    assert "/opt/llama-server cannot be used: it is empty;" in str(error)
    assert "gglib serve --engine embedded" in str(error)


@pytest.mark.parametrize(
    "error",
    [
        ModelLoadFailedError("m", "bad magic", ("line",)),
        ModelOutOfMemoryError("m", "out of memory: 5 GB", ("line",)),
        EngineCrashLoopError("m", 3, 60.0, "signal 9"),
    ],
)
def test_a_failure_is_repeated_with_the_time_until_the_next_attempt(error: ModelLoadFailedError) -> None:
    """All other attributes stay the same."""
    repeated = error.with_retry_after(2.5)
    assert (type(repeated), str(repeated), error.retry_after_s) == (type(error), str(error), None)
    assert vars(repeated) == {**vars(error), "retry_after_s": 2.5}


@pytest.mark.parametrize(
    "error",
    [EngineBrokenError(Path("/opt/llama"), "it is /opt/x"), EngineArgumentError("Engine argument '/opt'.")],
    ids=lambda error: type(error).__name__,
)
def test_a_redacted_error_names_the_command_that_shows_the_reason(
    error: EngineBrokenError | EngineArgumentError,
) -> None:
    """Clients without admin rights see neither path nor argument; class and code stay."""
    redacted = error.redacted()
    assert (type(redacted), redacted.code) == (type(error), error.code)
    assert "/opt" not in str(redacted)
    assert "gglib doctor" in str(redacted)


@pytest.mark.parametrize(
    "error",
    [
        ModelLoadFailedError("m", "bad magic", ("line",), retry_after_s=2.0),
        EngineDiedError("m", "signal 9", ("line",), was_only_request=True),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_without_its_log_says_the_same(error: ModelLoadFailedError | EngineDiedError) -> None:
    """Only the log lines are left out."""
    shown = error.without_log()
    assert {**vars(shown), "log_tail": ("line",)} == vars(error)
    assert (type(shown), str(shown), shown.log_tail) == (type(error), str(error), ())


def test_an_error_without_log_lines_stays_itself() -> None:
    """Also a crash loop, which has other arguments."""
    error = EngineCrashLoopError("m", 3, 60.0, "signal 9")
    assert error.without_log() is error


def test_a_crash_loop_counts_the_deaths() -> None:
    """The message has the last reason; a crash loop is retryable, a failed load is not."""
    error = EngineCrashLoopError("m", 3, 60.0, "signal 9")
    assert "died 3 times within 60 s, the last time: signal 9" in str(error)
    assert error.is_retryable
    assert not ModelLoadFailedError("m", "bad magic").is_retryable


@pytest.mark.parametrize(("was_loading", "said"), [(True, "loading"), (False, "answering")])
def test_the_error_of_a_stopped_model_names_its_state(said: str, *, was_loading: bool) -> None:
    """A stop aborts a load, or a response that takes too long."""
    assert (
        str(ModelStoppedError("m", was_loading=was_loading)) == f"Model 'm' was stopped while it was {said}."
    )


@pytest.mark.parametrize(
    ("retry_after_s", "loading_s", "queue_s"), [(0.0, 1, 1), (0.2, 1, 1), (2.2, 3, 2), (7.0, 7, 7)]
)
def test_a_message_names_a_wait_of_at_least_a_second(
    retry_after_s: float, loading_s: int, queue_s: int
) -> None:
    """In whole seconds; rounded up for a load, rounded to the nearest for the queue."""
    assert f"in {loading_s} s" in str(ModelLoadingError("m", retry_after_s))
    assert f"in {queue_s} s" in str(QueueFullError(9, retry_after_s))


@pytest.mark.parametrize(
    ("needed", "budget", "numbers"),
    [
        ({"ram": 24 * GB}, {"ram": 20 * GB}, ["24.0 GB of RAM", "is 20.0 GB of RAM"]),
        (
            {"ram": GB, "gpu0": 9 * GB, "gpu1": 8 * GB},
            {"ram": 20 * GB, "gpu0": 8 * GB, "gpu1": 7 * GB},
            ["9.0 GB on gpu0 and 8.0 GB on gpu1", "is 8.0 GB on gpu0 and 7.0 GB on gpu1"],
        ),
    ],
)
def test_a_model_that_is_too_large_has_the_numbers(
    needed: dict[str, int], budget: dict[str, int], numbers: list[str], golden: Golden
) -> None:
    """Need and budget of the devices that lack memory; others are not named."""
    error = ModelTooLargeError("m", needed, budget)
    assert all(number in str(error) for number in numbers)
    assert golden(str(error))
    assert not error.is_retryable


def test_the_advice_on_a_model_that_is_too_large_is_the_last_sentence() -> None:
    """It replaces the general one."""
    error = ModelTooLargeError("m", {"ram": 2}, {"ram": 1}, "A context of 4096 fits.")
    assert str(error).endswith(". A context of 4096 fits.")
    assert "quantization" not in str(error)


def test_a_lack_of_memory_names_what_other_programs_leave(golden: Golden) -> None:
    """The wait is rounded up to whole seconds."""
    error = InsufficientMemoryError("m", {"ram": 8 * GB}, {"ram": 5 * GB}, 9.2)
    assert "8.0 GB of RAM" in str(error)
    assert "5.0 GB of RAM" in str(error)
    assert "in 10 s" in str(error)
    assert error.is_retryable
    assert golden(str(error))


def test_a_lack_of_memory_beside_pinned_models_says_so(golden: Golden) -> None:
    """Other programs alone leave enough."""
    error = InsufficientMemoryError("m", {"ram": 8 * GB}, {"ram": 5 * GB}, 10, beside_pinned=True)
    assert "the pinned models leave only 5.0 GB of RAM" in str(error)
    assert golden(str(error))


def test_pinned_models_are_named_with_the_command_that_releases_one(golden: Golden) -> None:
    """A retry does not help: the user has to decide."""
    error = ModelsPinnedError("m", ("a", "b c"))
    assert "'a', 'b c'" in str(error)
    assert "'gglib unpin a'" in str(error)
    assert not error.is_retryable
    assert golden(str(error))
    assert golden(str(ModelsPinnedError("m", ("a",))))


def test_pin_that_takes_the_place_of_all_models_names_the_setting(golden: Golden) -> None:
    """With one model at a time, a pin refuses all others: the user may not know of the limit."""
    error = ModelsPinnedError("m", ("a",), 1)
    assert "'max_models' is 1" in str(error)
    assert "'gglib unpin a'" in str(error)
    assert golden(str(error))
    assert "unpin" not in str(ModelsPinnedError("m", (), 1))


@pytest.mark.parametrize("was_only_request", [True, False])
def test_a_request_that_was_alone_when_its_engine_died_is_not_retryable(*, was_only_request: bool) -> None:
    """It is the likely cause; of several requests each may be retried."""
    error = EngineDiedError("m", "signal 11", was_only_request=was_only_request)
    assert error.is_retryable is not was_only_request
    assert ("change it before retrying" in str(error)) is was_only_request
    assert "'m' died: signal 11" in str(error)


def test_an_unknown_download_is_named() -> None:
    """By the id that the client sent."""
    assert "'7'" in str(DownloadNotFoundError("7"))


def test_a_shutdown_has_a_message_of_its_own() -> None:
    """The default message, unless the caller has another."""
    assert "shutting down" in str(ShuttingDownError())
    assert str(ShuttingDownError("The node leaves.")) == "The node leaves."


def test_missing_profile_of_all_models_names_no_model() -> None:
    """A profile of one model is named with the model's other profiles."""
    assert "of all models" in str(ProfileNotFoundError("x", None, "x", ()))
    assert "It has cold" in str(ProfileNotFoundError("tiny:x", "tiny", "x", ("cold",)))
