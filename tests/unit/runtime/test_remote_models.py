"""Models with a URL: their targets, keys and states."""

import asyncio

import pytest

from gglib.core.backends import UrlBackend
from gglib.core.errors import (
    BackendKeyMissingError,
    UpstreamError,
    UpstreamStalledError,
)
from gglib.core.models import NO_FILE, ModelLaunchSpec
from gglib.runtime.remote_models import RemoteModels, target_of


def spec_of(
    base_url: str = "http://box:8000/v1", *, key_env: str | None = None, model: str | None = None
) -> ModelLaunchSpec:
    """Return the spec of a model at a URL."""
    backend = UrlBackend(base_url=base_url, key_env=key_env, model=model)
    return ModelLaunchSpec(model_id=1, model_name="m", path=NO_FILE, backend=backend)


@pytest.mark.parametrize(
    ("base_url", "origin", "prefix"),
    [
        ("http://box:8000/v1", "http://box:8000", "/v1"),
        ("http://box:8000/v1/", "http://box:8000", "/v1"),
        ("https://host/openai/v1", "https://host", "/openai/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000", "/v1"),
        ("http://box", "http://box", ""),
    ],
)
def test_a_target_has_the_origin_and_the_path(base_url: str, origin: str, prefix: str) -> None:
    """The path of the URL stands for /v1, as in OpenAI's libraries."""
    spec = spec_of(base_url, model="theirs")
    assert isinstance(spec.backend, UrlBackend)
    target = target_of(spec, spec.backend, 4096, {})
    assert (target.base_url, target.path_prefix) == (origin, prefix)
    assert (target.model_name, target.served_name, target.effective_ctx) == ("m", "theirs", 4096)
    assert (target.bearer_key, target.is_remote) == (None, True)


def test_the_key_is_read_for_each_request() -> None:
    """It may be set or replaced while the server runs in a program that embeds it."""
    environment = {"BOX_KEY": " first\n"}
    remotes = RemoteModels(lambda: 0.0, environment)
    spec = spec_of(key_env="BOX_KEY")
    assert remotes.acquire(1, spec, 1).bearer_key == "first"
    environment["BOX_KEY"] = "second"
    target = remotes.acquire(2, spec, 1)
    assert target.bearer_key == "second"
    assert "second" not in repr(target)


@pytest.mark.parametrize("value", [None, "", "  ", "two\nlines", "schlüssel"])
def test_a_missing_key_names_the_variable_and_no_value(value: str | None) -> None:
    """Nothing is leased then. A value that cannot be in a header is not sent."""
    remotes = RemoteModels(lambda: 0.0, {} if value is None else {"BOX_KEY": value})
    with pytest.raises(BackendKeyMissingError, match="BOX_KEY") as error:
        remotes.acquire(1, spec_of(key_env="BOX_KEY"), 1)
    assert not value or not value.strip() or value not in str(error.value)
    assert remotes.in_flight == 0


def test_the_state_follows_the_exchanges() -> None:
    """Unknown, reachable, and the last failure with its age; a cancelled request says nothing."""
    now = 100.0
    remotes = RemoteModels(lambda: now, {})
    remotes.acquire(1, spec_of(), 1)
    (status,) = remotes.status()
    assert (status.host, status.in_flight, status.is_reachable) == ("http://box:8000", 1, None)
    assert remotes.used_model_ids() == {1}
    assert remotes.release(1, asyncio.CancelledError())
    assert remotes.status()[0].is_reachable is None
    remotes.acquire(2, spec_of(), 1)
    assert remotes.release(2)
    assert remotes.status()[0].is_reachable is True
    remotes.acquire(3, spec_of(), 1)
    assert remotes.release(3, UpstreamStalledError("The server sent nothing."))
    now = 103.0
    (status,) = remotes.status()
    assert (status.is_reachable, status.last_failure, status.failed_ago_s) == (
        False,
        "The server sent nothing.",
        3.0,
    )
    assert (status.in_flight, remotes.used_model_ids()) == (0, set())


def test_another_address_has_no_failures_yet() -> None:
    """The user has replaced the server that failed."""
    remotes = RemoteModels(lambda: 0.0, {})
    remotes.acquire(1, spec_of(), 1)
    remotes.release(1, UpstreamError("It broke off."))
    remotes.acquire(2, spec_of("http://other:1/v1"), 1)
    (status,) = remotes.status()
    assert (status.host, status.is_reachable, status.last_failure) == ("http://other:1", None, "")


def test_a_ticket_of_another_request_is_left_alone() -> None:
    """The manager asks here first for each request that ends."""
    remotes = RemoteModels(lambda: 0.0, {})
    remotes.acquire(1, spec_of(), 1)
    assert not remotes.release(7, UpstreamError("x"))
    assert remotes.release(1)
    assert not remotes.release(1)


async def test_a_drain_waits_for_requests_in_flight() -> None:
    """It returns when the last one ends, and at once without any."""
    remotes = RemoteModels(lambda: 0.0, {})
    await remotes.wait_until_idle(60)
    remotes.acquire(1, spec_of(), 1)
    waiting = asyncio.create_task(remotes.wait_until_idle(60))
    await asyncio.sleep(0)
    assert not waiting.done()
    remotes.release(1)
    await waiting
    remotes.acquire(2, spec_of(), 1)
    await remotes.wait_until_idle(0)
    assert remotes.in_flight == 1


def test_removed_models_are_forgotten() -> None:
    """The status lists no servers of models that do not exist; a request in flight keeps its own."""
    remotes = RemoteModels(lambda: 0.0, {})
    model_id = spec_of().model_id
    remotes.acquire(1, spec_of(), 1)
    remotes.keep({model_id + 1})
    assert [status.model_id for status in remotes.status()] == [model_id]
    remotes.release(1)
    remotes.keep({model_id})
    assert len(remotes.status()) == 1
    remotes.keep(())
    assert remotes.status() == ()


def test_a_model_has_its_own_name_there_by_default() -> None:
    """Clients may use an alias, which the server does not know."""
    assert RemoteModels(lambda: 0.0, {}).acquire(1, spec_of(), 1).served_name == "m"
