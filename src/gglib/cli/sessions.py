"""Opens the catalogue or the hub for the calls of one command."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TYPE_CHECKING, TypeVar

from gglib.app.settings import Settings
from gglib.core.errors import ModelNotFoundError
from gglib.core.ports.store import HomeStorePort

if TYPE_CHECKING:
    from gglib.library.search import ModelFinder

T = TypeVar("T")


def with_catalog(settings: Settings, call: Callable[[HomeStorePort], Awaitable[T]]) -> T:
    """Open the catalogue for one call and return its result."""
    with catalog_session(settings) as catalog:
        return catalog.run(call)


class CatalogSession:
    """A catalogue that stays open for several calls, for a command that prompts the user in between."""

    def __init__(
        self, runner: asyncio.Runner, store: HomeStorePort, aliases: Mapping[str, Sequence[str]]
    ) -> None:
        self._runner = runner
        self._store = store
        self._aliases = aliases

    def run(self, call: Callable[[HomeStorePort], Awaitable[T]]) -> T:
        """Run the loop for one call and return its result.

        ``ModelNotFoundError`` for the name of an alias list is raised with the models of the list.
        """
        results: list[T] = []

        async def main() -> None:
            # Not the task's result: restoring the signal handler formats the task with it, 0.3 s for 10,000 models.
            try:
                results.append(await call(self._store))
            except ModelNotFoundError as error:
                raise await self._explained(error) from error

        self._runner.run(main())
        return results[0]

    async def _explained(self, error: ModelNotFoundError) -> ModelNotFoundError:
        if not self._aliases or error.is_ambiguous:
            return error
        from gglib.proxy.names.aliases import AliasLists
        from gglib.proxy.names.resolution import one_model_error

        return await one_model_error(error, self._store, AliasLists(self._aliases))


@contextmanager
def catalog_session(settings: Settings) -> Iterator[CatalogSession]:
    """Keep the catalogue open for the duration of the block.

    The loop runs during calls only: in a running loop, Ctrl-C cancels the task and would not interrupt a prompt that
    waits for input.
    """
    from gglib.app.models.catalog import open_catalog
    from gglib.cli.serving.log_files import escape_warnings

    escape_warnings()
    catalog_context = open_catalog(settings)
    with asyncio.Runner() as runner:
        catalog = CatalogSession(runner, runner.run(catalog_context.__aenter__()), settings.aliases)
        try:
            yield catalog
        finally:
            runner.run(_close(catalog_context))


async def _close(catalog_context: AbstractAsyncContextManager[object]) -> None:
    """Cancel the tasks that a second Ctrl-C left running, which may still write, then close the catalogue."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await catalog_context.__aexit__(None, None, None)


def with_finder(settings: Settings, call: Callable[["ModelFinder"], Awaitable[T]]) -> T:
    """Open the hub for one call and return its result; a terminal shows a status line."""
    from gglib.app.models.hub import open_hub
    from gglib.app.models.search import model_finder
    from gglib.cli.terminal.status_line import terminal_status

    async def main() -> T:
        async with open_hub() as hub:
            return await call(await model_finder(settings, hub))

    with terminal_status() as show:
        show("Querying the hub ...")
        return asyncio.run(main())
