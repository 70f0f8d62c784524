"""Search, and what there is to know of a repository: the hub's API, by way of huggingface_hub.

The library is imported when it is first used, and works in threads: neither delays the loop. It never looks for a
token of its own; who may have ours is decided in ``session``.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from gglib.core.errors import GatedRepositoryError, HubError, RepositoryNotFoundError
from gglib.core.hub.repository import HubRepository, HubSort
from gglib.hf import threads
from gglib.hf.api_errors import Asked
from gglib.hf.parsing import UnreadableError, read_repository
from gglib.hf.transport.urls import read_endpoint

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import ModelSort_T

ASKED_AT_ONCE = 4
"""Repositories of a search that are asked for at the same time."""
TRIES = 3
WAIT_S = 0.5
"""Before the second try, where the hub does not say how long; doubled each time."""
LONGEST_WAIT_S = 10.0
"""Who must wait for longer is told instead."""

_SORTS: dict[HubSort, "ModelSort_T"] = {
    HubSort.DOWNLOADS: "downloads",
    HubSort.LIKES: "likes",
    HubSort.UPDATED: "last_modified",
    HubSort.TRENDING: "trending_score",
}

# What the library raises on an answer of another shape than the hub's.
_MISSHAPEN = (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError)

T = TypeVar("T")


class HubApi:
    """The hub at ``endpoint``, asked with the token that ``token`` returns, if any; it is called for each question.

    Every failure is a ``HubError``, one sentence that says what to do. A question that the hub fails, or asks to be
    put later, is put again, up to three times in all; ``pause`` waits in between, in seconds.
    """

    def __init__(
        self,
        endpoint: str,
        token: Callable[[], str | None],
        *,
        first_wait_s: float = WAIT_S,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._token = token
        self._first_wait_s = first_wait_s
        self._pause = pause

    async def search(self, query: str, *, sort: HubSort, limit: int, skip: int = 0) -> list[HubRepository]:
        """Return up to ``limit`` repositories with GGUF files, best first, with their files and sizes.

        A listing has no sizes, so each repository is asked for, but for the first ``skip``. One that cannot be had is
        left out; the search fails when none can.
        """
        if limit <= max(skip, 0):
            return []
        if not _is_unicode(query):
            raise HubError("The search has characters that cannot be sent: leave out what is no Unicode.")
        asked = Asked(endpoint=self._endpoint)
        names = (await self._ask(asked, lambda api: _names(api, query, sort, limit)))[skip:]
        room = asyncio.Semaphore(ASKED_AT_ONCE)

        async def one(name: str) -> HubRepository | HubError:
            async with room:
                try:
                    return await self.repository(name)
                except HubError as error:
                    return error

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(name)) for name in names]
        return _those_that_came([task.result() for task in tasks])

    async def repository(self, repo: str, revision: str | None = None) -> HubRepository:
        """Return a repository at a branch, tag or commit; None: as it is now."""
        asked = Asked(endpoint=self._endpoint, repo=repo, revision=revision)
        return await self._ask(asked, lambda api: _repository(api, repo, revision))

    async def _ask(self, asked: Asked, question: Callable[["HfApi"], T]) -> T:
        wait_s = self._first_wait_s
        left = TRIES
        while True:
            left -= 1
            outcome = await threads.run(
                lambda _: _call(asked, self._token, question), name="gglib-hub", longest_end_s=0
            )
            if isinstance(outcome, _Answer):
                return outcome.value
            told_s = outcome.wait_s
            if told_s is None or left == 0 or told_s > LONGEST_WAIT_S:
                raise outcome.error
            await self._pause(told_s or wait_s)
            wait_s *= 2


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    value: T


@dataclass(frozen=True, slots=True)
class _Failure:
    error: HubError
    wait_s: float | None = None
    """After how long it may be another answer: 0 where nobody says, None where never."""


def _call(
    asked: Asked, token: Callable[[], str | None], question: Callable[["HfApi"], T]
) -> _Answer[T] | _Failure:
    """Ask, in this thread."""
    # A quarter of a second. By way of the module that keeps the library quiet: on its own it asks for more.
    from gglib.hf.session import FailedError, HfApi, HFValidationError, calling  # noqa: PLC0415

    try:
        read_endpoint(asked.endpoint)  # the library would take another one for an empty one
        shown = _checked(token())
        asked = replace(asked, had_token=shown is not None)
        # False, not None: that would let the library look for a token.
        api = HfApi(endpoint=asked.endpoint, token=shown or False)
        with calling(asked):
            return _Answer(question(api))
    except FailedError as failed:
        return _Failure(failed.error, failed.wait_s)
    except HubError as error:
        return _Failure(error)
    except HFValidationError:
        return _Failure(
            RepositoryNotFoundError(f"{asked.repo!a} is no name of a repository: write OWNER/NAME.")
        )
    except UnreadableError as error:
        return _Failure(HubError(f"The hub at {asked.host} {error} ({asked.repo}): gglib cannot use that."))
    except _MISSHAPEN as error:
        what = f"The hub at {asked.host} does not answer as a hub does ({type(error).__name__}): check HF_ENDPOINT."
        return _Failure(HubError(what))


def _is_unicode(text: str) -> bool:
    """Whether a text can be sent: bytes that a terminal could not decode have become halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _checked(token: str | None) -> str | None:
    """Return a token that can stand in a header; an empty one is none."""
    text = (token or "").strip()
    if text and not (text.isascii() and text.isprintable() and " " not in text):
        raise HubError("HF_TOKEN has characters that no token has: set it to the token alone.")
    return text or None


def _names(api: "HfApi", query: str, sort: HubSort, limit: int) -> list[str]:
    """Return the names that a search finds, and nothing else: the rest is asked for with the sizes."""
    found = api.list_models(search=query, filter="gguf", sort=_SORTS[sort], limit=limit, expand=["likes"])
    return [model.id for model in found]


def _repository(api: "HfApi", repo: str, revision: str | None) -> HubRepository:
    return read_repository(api.model_info(repo, revision=revision, files_metadata=True))


def _those_that_came(outcomes: list[HubRepository | HubError]) -> list[HubRepository]:
    """Return the repositories that have models; raise what kept all away, if it was not each one's own doing."""
    came = [one for one in outcomes if isinstance(one, HubRepository)]
    faults = (
        one
        for one in outcomes
        if isinstance(one, HubError) and not isinstance(one, RepositoryNotFoundError | GatedRepositoryError)
    )
    fault = next(faults, None)
    if fault is not None and not came:
        raise fault
    return [one for one in came if any(file.name.lower().endswith(".gguf") for file in one.files)]
