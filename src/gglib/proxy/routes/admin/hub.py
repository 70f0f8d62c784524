"""Searches the hub, and lists first models and newer versions."""

from gglib.core import errors
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.groups import HUB_GROUP
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import OperationSpec
from gglib.proxy.routes.requests import RevisionQuery, SearchQuery

SEARCH, REPOSITORY = "/gglib/hub/models", "/gglib/hub/models/{owner}/{repository}"
FIRST_MODELS, UPDATES = "/gglib/hub/first-models", "/gglib/hub/updates"
_HUB_ERRORS = (
    errors.HubError,
    errors.HubUnreachableError,
    errors.HubBusyError,
    errors.GatedRepositoryError,
    errors.RepositoryNotFoundError,
)


async def search(call: Call[SearchQuery, None], response: Response) -> None:
    """Search the hub."""
    query = call.query
    result = await call.library.search(
        query.q, sort=query.sort, limit=query.limit, max_size_bytes=query.max_size
    )
    await response.send(responses.SearchResult.of(result, query.q))


async def show_repository(call: Call[RevisionQuery, None], response: Response) -> None:
    """Send one repository of the hub."""
    found = await call.library.show_repository(
        f"{call.path['owner']}/{call.path['repository']}", call.query.revision
    )
    await response.send(responses.ShownRepository.of(found))


async def list_first_models(call: Call[None, None], response: Response) -> None:
    """Send known models for a start."""
    await response.send(responses.FirstModels.of(await call.library.list_first_models()))


async def check_updates(call: Call[None, None], response: Response) -> None:
    """Compare the models with their sources."""
    checks = await call.library.check_updates()
    await response.send(responses.Updates(updates=tuple(map(responses.Update.of, checks))))


OPERATIONS = (
    operation(
        search,
        OperationSpec(
            id="searchHub",
            method="GET",
            path=SEARCH,
            group=HUB_GROUP,
            summary="Search the hub for GGUF models",
            text="Like `gglib search --json`: the models of each repository, and whether they fit this machine.",
            query=SearchQuery,
            response=responses.SearchResult,
            needs_library=True,
            errors=_HUB_ERRORS,
        ),
    ),
    operation(
        show_repository,
        OperationSpec(
            id="showRepository",
            method="GET",
            path=REPOSITORY,
            group=HUB_GROUP,
            summary="Show one repository of the hub",
            text="Like `gglib show REPO --json`: the result of `searchHub`, and all files.",
            path_parameters={
                "owner": "The owner in `owner/name`.",
                "repository": "The name in `owner/name`.",
            },
            query=RevisionQuery,
            response=responses.ShownRepository,
            needs_library=True,
            errors=(*_HUB_ERRORS, errors.VariantChoiceError, errors.UnsafeNameError),
        ),
    ),
    operation(
        list_first_models,
        OperationSpec(
            id="listFirstModels",
            method="GET",
            path=FIRST_MODELS,
            group=HUB_GROUP,
            summary="List known models for a start",
            text="What `gglib up` offers with an empty catalogue: known instruct models, and whether they fit this "
            "machine. Asks the hub which it has, for at most two seconds.",
            response=responses.FirstModels,
            needs_library=True,
        ),
    ),
    operation(
        check_updates,
        OperationSpec(
            id="checkUpdates",
            method="GET",
            path=UPDATES,
            group=HUB_GROUP,
            summary="Compare the models with their sources",
            text="What `gglib outdated` shows: models that came from a repository or a URL. One request to each "
            "source; one that fails has the state `unchecked`.",
            response=responses.Updates,
            needs_library=True,
            errors=(errors.CatalogError,),
        ),
    ),
)
