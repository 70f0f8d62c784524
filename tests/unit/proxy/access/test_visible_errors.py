"""Errors as a caller may see them."""

from pathlib import Path

import pytest

from gglib.core.api_keys import ApiKey
from gglib.core.errors import (
    EngineArgumentError,
    EngineBrokenError,
    EngineCrashLoopError,
    EngineDiedError,
    GglibError,
    ModelLoadFailedError,
    ModelNotFoundError,
    ModelOutOfMemoryError,
    ModelsPinnedError,
    ModelTooLargeError,
    NoNodeError,
    ProfileNotFoundError,
)
from gglib.proxy.access.authorization import Caller
from gglib.proxy.access.grants import Grant
from gglib.proxy.access.visible_errors import visible_error


def caller(key: ApiKey | None = None, peer: str = "127.0.0.1") -> Caller:
    """Return the caller with a key, or without keys one at this address."""
    return Caller({}, peer, "192.168.1.5", None if key is None else Grant.of("bob", key))


LIMITED = caller(ApiKey(key="k", models=("chat*",)))
ALL_MODELS = caller(ApiKey(key="k"))
ADMIN = caller(ApiKey.admin("k"))
LOCAL, REMOTE = caller(), caller(peer="192.168.1.9")
PATH = Path("/opt/secret/llama-server")
ERRORS: list[GglibError] = [
    EngineBrokenError(PATH, "it printed /opt/secret/libggml.so"),
    EngineArgumentError("Engine argument '--secret' takes no value."),
    ModelLoadFailedError("chat", "no tensors", ("secret log line",)),
    EngineDiedError("chat", "signal 9", ("secret log line",), was_only_request=True),
    ModelsPinnedError("chat", ("secret",)),
    ModelTooLargeError("chat", {"ram": 2}, {"ram": 1}, "Use 'secret'."),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_limited_key_sees_no_secret(error: GglibError) -> None:
    """Class, code and whether to retry stay; admins get the error itself."""
    seen = visible_error(error, LIMITED)
    assert type(seen) is type(error)
    assert "secret" not in f"{seen}{getattr(seen, 'log_tail', '')}"
    assert getattr(seen, "is_retryable", None) == error.is_retryable
    assert visible_error(error, ADMIN) is error
    assert visible_error(error, LOCAL) is error


@pytest.mark.parametrize("error", ERRORS[:2], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("seen_by", [ALL_MODELS, REMOTE], ids=["key", "remote"])
def test_only_admins_see_paths_and_engine_arguments(error: GglibError, seen_by: Caller) -> None:
    """Also a key with all models, and other machines of a server without keys."""
    assert "secret" not in str(visible_error(error, seen_by))


def test_log_lines_need_an_admin_key_where_keys_are_set() -> None:
    """Without keys every client sees them; the reason stays for all."""
    error = ModelOutOfMemoryError("chat", "out of memory", ("a log line",), retry_after_s=3.0)
    assert visible_error(error, REMOTE) is error
    seen = visible_error(error, ALL_MODELS)
    assert isinstance(seen, ModelOutOfMemoryError)
    assert (str(seen), seen.log_tail, seen.retry_after_s) == (str(error), (), 3.0)
    without_log = EngineCrashLoopError("chat", 3, 60.0, "signal 9")
    assert visible_error(without_log, ALL_MODELS) is without_log


def test_a_limited_key_learns_that_the_key_decides() -> None:
    """The message does not claim that the catalogue is empty; a key with all models gets the error itself."""
    error = ModelNotFoundError("tiny", total=0)
    assert "this API key may use, which are none" in str(visible_error(error, LIMITED))
    assert visible_error(error, ALL_MODELS) is error
    assert visible_error(error, REMOTE) is error


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), ProfileNotFoundError("chat:x", "chat", "x", ("cold",))],
    ids=["other", "profile"],
)
def test_other_errors_stay_as_they_are(error: Exception) -> None:
    """A key that may use the model may know its profiles."""
    assert visible_error(error, LIMITED) is error


def test_only_admins_see_the_state_of_the_nodes() -> None:
    """Others see that there is none."""
    error = NoNodeError("chat", "gpu-1 is down")
    assert visible_error(error, ADMIN) is error
    for other in (LIMITED, ALL_MODELS, REMOTE):
        assert str(visible_error(error, other)) == "No node can serve 'chat' now."


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_of_a_forwarded_request_have_no_secrets(error: GglibError) -> None:
    """The front has an admin key; the rights of its client are not known here."""
    shown = str(visible_error(error, ADMIN, is_forwarded=True))
    assert "secret" not in shown
