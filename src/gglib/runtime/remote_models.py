"""Models that servers elsewhere serve (``UrlBackend``): never launched, never evicted, without a limit.

A request for one gets its target at once, whatever the scheduler does.
"""

import asyncio
import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from gglib.core.backends import UrlBackend, key_of
from gglib.core.errors import BackendKeyMissingError, UpstreamError
from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.runtime.status import RemoteStatus


@dataclass(slots=True)
class _Remote:
    """What is known of one model's server."""

    spec: ModelLaunchSpec
    target: RunningTarget
    in_flight: int = 0
    is_reachable: bool | None = None
    """Whether the last exchange succeeded; None before the first one."""
    last_failure: str = ""
    failed_at: float | None = None


class RemoteModels:
    """The targets of models with a URL, and the state of their servers. Used in the event loop's thread."""

    def __init__(self, now: Callable[[], float], environment: Mapping[str, str] = os.environ) -> None:
        """``now`` returns the loop's time; ``environment`` has the servers' keys."""
        self._now = now
        self._environment = environment
        self._remotes: dict[int, _Remote] = {}
        self.leases: dict[int, _Remote] = {}
        """The requests in flight by ticket. Read for each request of any model: a plain attribute."""
        self._idle = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """Number of requests in flight."""
        return len(self.leases)

    def acquire(self, ticket: int, spec: ModelLaunchSpec, context: int) -> RunningTarget:
        """Return the target of a model with a ``UrlBackend``, leased to a request until ``release``.

        Raises ``BackendKeyMissingError``.
        """
        assert isinstance(spec.backend, UrlBackend)  # noqa: S101 - the caller's condition
        target = target_of(spec, spec.backend, context, self._environment)
        remote = self._remotes.get(spec.model_id)
        if remote is None:
            remote = self._remotes[spec.model_id] = _Remote(spec, target)
        elif remote.target.base_url != target.base_url:
            remote.is_reachable, remote.last_failure, remote.failed_at = None, "", None
        remote.spec, remote.target = spec, target
        remote.in_flight += 1
        self.leases[ticket] = remote
        return target

    def release(self, ticket: int, error: BaseException | None = None, *, was_used: bool = True) -> bool:
        """End the lease of a request; False if it has none here.

        ``error`` ended the exchange with the server. ``was_used``: whether there was an exchange.
        """
        remote = self.leases.pop(ticket, None)
        if remote is None:
            return False
        remote.in_flight -= 1
        if not self.leases:
            self._idle.set()
        if error is None and was_used:
            remote.is_reachable = True
        elif isinstance(error, UpstreamError):
            remote.is_reachable, remote.last_failure, remote.failed_at = False, str(error), self._now()
        return True

    async def wait_until_idle(self, timeout_s: float) -> None:
        """Return when no request is in flight, or after ``timeout_s``."""
        if not self.leases:
            return
        self._idle.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()

    def keep(self, model_ids: Collection[int]) -> None:
        """Forget the servers of models that were removed; those with requests in flight stay until these have ended."""
        for model_id, remote in list(self._remotes.items()):
            if model_id not in model_ids and not remote.in_flight:
                del self._remotes[model_id]

    def status(self) -> tuple[RemoteStatus, ...]:
        """Return the state of the servers that were used since the start, of models that still exist."""
        return tuple(self._status(remote) for remote in self._remotes.values())

    def used_model_ids(self) -> set[int]:
        """Return the ids of the models with requests in flight."""
        return {remote.spec.model_id for remote in self.leases.values()}

    def _status(self, remote: _Remote) -> RemoteStatus:
        return RemoteStatus(
            model_id=remote.spec.model_id,
            model_name=remote.spec.model_name,
            host=remote.target.base_url,
            in_flight=remote.in_flight,
            is_reachable=remote.is_reachable,
            last_failure=remote.last_failure,
            failed_ago_s=None if remote.failed_at is None else self._now() - remote.failed_at,
        )


def target_of(
    spec: ModelLaunchSpec, backend: UrlBackend, context: int, environment: Mapping[str, str]
) -> RunningTarget:
    """Return the target of a model with a URL. Raises ``BackendKeyMissingError``."""
    parts = urlsplit(backend.base_url)
    return RunningTarget(
        base_url=f"{parts.scheme}://{parts.netloc}",
        model_id=spec.model_id,
        model_name=spec.model_name,
        effective_ctx=context,
        bearer_key=_key(spec.model_name, backend, environment),
        path_prefix=parts.path.rstrip("/"),
        served_name=backend.model or spec.model_name,
        is_remote=True,
        ca_file=backend.ca_file,
    )


def _key(model_name: str, backend: UrlBackend, environment: Mapping[str, str]) -> str | None:
    """Return the key for a header; None if the server needs none. Raises ``BackendKeyMissingError``."""
    try:
        key = key_of(backend, environment)
    except ValueError:
        raise BackendKeyMissingError(model_name, str(backend.key_env), is_set=True) from None
    if key is None and backend.key_env is not None:
        raise BackendKeyMissingError(model_name, backend.key_env, is_set=False)
    return key
