"""Search and repository metadata from the hub's API, through huggingface_hub.

The library is imported on first use and runs in threads, so neither blocks the loop. It never looks up a token of its
own: ``session`` decides which origins receive ours.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from gglib.core.errors import GatedRepositoryError, HubError, RepositoryNotFoundError
from gglib.core.hub.repository import HubRepository, HubSort
from gglib.hf import threads
from gglib.hf.api_errors import HubRequest
from gglib.hf.parsing import InvalidResponseError, read_repository
from gglib.hf.transport.urls import parse_endpoint

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import ModelSort_T

MAX_CONCURRENT_REQUESTS = 4
"""Repositories of one search that are requested at the same time."""
MAX_ATTEMPTS = 3
FIRST_WAIT_S = 0.5
"""Before the second attempt, if the hub does not say how long; doubled for each further attempt."""
MAX_WAIT_S = 10.0
"""A longer wait is reported as an error instead."""

_SORTS: dict[HubSort, "ModelSort_T"] = {
    HubSort.DOWNLOADS: "downloads",
    HubSort.LIKES: "likes",
    HubSort.UPDATED: "last_modified",
    HubSort.TRENDING: "trending_score",
}

# What the library raises for a response of an unexpected shape.
_UNEXPECTED = (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError)

T = TypeVar("T")


class HubApi:
    """The API of the hub at ``endpoint``. ``token`` is called before each request; None means no token.

    Every failure is a ``HubError`` with one sentence that says what to do. Server errors and rate limits are retried,
    up to three attempts in all; ``pause`` sleeps in between, in seconds.
    """

    def __init__(
        self,
        endpoint: str,
        token: Callable[[], str | None],
        *,
        first_wait_s: float = FIRST_WAIT_S,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._token = token
        self._first_wait_s = first_wait_s
        self._pause = pause

    async def search(self, query: str, *, sort: HubSort, limit: int, skip: int = 0) -> list[HubRepository]:
        """Return up to ``limit`` repositories with GGUF files, best first, with their files and sizes.

        A listing has no sizes, so each repository is requested, except the first ``skip``. Repositories that fail are
        left out; the search fails only if all of them do.
        """
        if limit <= max(skip, 0):
            return []
        if not _is_unicode(query):
            raise HubError("The search text is not valid Unicode: remove the invalid characters.")
        hub_request = HubRequest(endpoint=self._endpoint)
        names = (await self._call(hub_request, lambda api: _names(api, query, sort, limit)))[skip:]
        slots = asyncio.Semaphore(MAX_CONCURRENT_REQUESTS)

        async def load(name: str) -> HubRepository | HubError:
            async with slots:
                try:
                    return await self.repository(name)
                except HubError as error:
                    return error

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(load(name)) for name in names]
        return _available([task.result() for task in tasks])

    async def repository(self, repo: str, revision: str | None = None) -> HubRepository:
        """Return a repository at a branch, tag or commit; None means the head of the default branch."""
        hub_request = HubRequest(endpoint=self._endpoint, repo=repo, revision=revision)
        return await self._call(hub_request, lambda api: _repository(api, repo, revision))

    async def _call(self, hub_request: HubRequest, request: Callable[["HfApi"], T]) -> T:
        wait_s = self._first_wait_s
        left = MAX_ATTEMPTS
        while True:
            left -= 1
            outcome = await threads.run(
                lambda _: _call(hub_request, self._token, request), name="gglib-hub", cancel_timeout_s=0
            )
            if isinstance(outcome, _Success):
                return outcome.value
            retry_after_s = outcome.wait_s
            if retry_after_s is None or left == 0 or retry_after_s > MAX_WAIT_S:
                raise outcome.error
            await self._pause(retry_after_s or wait_s)
            wait_s *= 2


@dataclass(frozen=True, slots=True)
class _Success(Generic[T]):
    value: T


@dataclass(frozen=True, slots=True)
class _Failure:
    error: HubError
    wait_s: float | None = None
    """When a retry may help: after this many seconds, 0 for the default delay, None for never."""


def _call(
    hub_request: HubRequest, token: Callable[[], str | None], request: Callable[["HfApi"], T]
) -> _Success[T] | _Failure:
    """Call the API in this thread."""
    # Takes a quarter of a second. Imported through the module that restricts the library's own requests.
    from gglib.hf.session import CallFailedError, HfApi, HFValidationError, guarded  # noqa: PLC0415

    try:
        parse_endpoint(hub_request.endpoint)  # the library replaces an empty endpoint by its default
        valid_token = _validated_token(token())
        hub_request = replace(hub_request, had_token=valid_token is not None)
        # False, not None: None makes the library look up a token.
        api = HfApi(endpoint=hub_request.endpoint, token=valid_token or False)
        with guarded(hub_request):
            return _Success(request(api))
    except CallFailedError as failed:
        return _Failure(failed.error, failed.wait_s)
    except HubError as error:
        return _Failure(error)
    except HFValidationError:
        return _Failure(
            RepositoryNotFoundError(f"{hub_request.repo!a} is not a repository name: write OWNER/NAME.")
        )
    except InvalidResponseError as error:
        return _Failure(
            HubError(f"The hub at {hub_request.host} {error} ({hub_request.repo}): gglib cannot use that.")
        )
    except _UNEXPECTED as error:
        what = (
            f"The hub at {hub_request.host} sent an unexpected response ({type(error).__name__}): "
            "check HF_ENDPOINT."
        )
        return _Failure(HubError(what))


def _is_unicode(text: str) -> bool:
    """Whether a text can be encoded: bytes that a terminal could not decode have become surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _validated_token(token: str | None) -> str | None:
    """Return a token that is valid in a header; an empty token is None."""
    text = (token or "").strip()
    if text and not (text.isascii() and text.isprintable() and " " not in text):
        raise HubError("HF_TOKEN contains invalid characters: set it to the token alone.")
    return text or None


def _names(api: "HfApi", query: str, sort: HubSort, limit: int) -> list[str]:
    """Return the repository names of a search and nothing else: the rest is requested with the sizes."""
    found = api.list_models(search=query, filter="gguf", sort=_SORTS[sort], limit=limit, expand=["likes"])
    return [model.id for model in found]


def _repository(api: "HfApi", repo: str, revision: str | None) -> HubRepository:
    return read_repository(api.model_info(repo, revision=revision, files_metadata=True))


def _available(outcomes: list[HubRepository | HubError]) -> list[HubRepository]:
    """Return the repositories that have GGUF files. Raises the shared failure if every request failed."""
    loaded = [outcome for outcome in outcomes if isinstance(outcome, HubRepository)]
    failures = (
        outcome
        for outcome in outcomes
        if isinstance(outcome, HubError)
        and not isinstance(outcome, RepositoryNotFoundError | GatedRepositoryError)
    )
    failure = next(failures, None)
    if failure is not None and not loaded:
        raise failure
    return [repo for repo in loaded if any(file.name.lower().endswith(".gguf") for file in repo.files)]
