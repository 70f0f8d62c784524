"""The models of this machine, for programs: what there is, what is added and removed, what the hub has."""

from pathlib import Path
from urllib.parse import quote

from gglib.core import errors
from gglib.core.found_json import search_json, shown_json
from gglib.core.hub import HubSort
from gglib.core.model_json import model_json
from gglib.core.names import require_model
from gglib.proxy.answer import Answer
from gglib.proxy.errors import BadRequestError
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation import Access, path_parameter, query_parameter
from gglib.proxy.routes.schemas import NEW_MODEL, ref

MODELS, A_MODEL, SEARCH = "/api/models", "/api/models/{name}", "/api/models/search"
A_REPOSITORY = "/api/hub/models/{owner}/{repository}"
GROUP, HUB_GROUP = "Models of this machine", "The hub"
MAX_FOUND = 100
MAX_QUERY_CHARS = 256
_NAME = path_parameter(
    "name", "Any of its names, percent-encoded; its number, where a name would be `search`."
)
_HUB_ERRORS = (
    errors.HubError,
    errors.HubUnreachableError,
    errors.HubBusyError,
    errors.GatedRepositoryError,
    errors.RepositoryNotFoundError,
)


async def list_models(call: Call, answer: Answer) -> None:
    """Answer with the catalogue, loaded or not."""
    services = call.services
    models, states = await services.catalog.list_models(), await _states(call)
    shown = [model_json(one, states.get(one.id), shows_paths=call.is_trusted) for one in models]
    await answer.send_json({"models": shown})


async def show_model(call: Call, answer: Answer) -> None:
    """Answer with one model of the catalogue."""
    await call.services.catalog.list_models()  # a listing notices files that were replaced
    model = await require_model(call.services.catalog, call["name"])
    states = await _states(call)
    await answer.send_json(model_json(model, states.get(model.id), shows_paths=call.is_trusted))


async def add_model(call: Call, answer: Answer) -> None:
    """Put a file into the catalogue."""
    try:
        model = await call.library.add_file(
            Path(call["path"]), name=call["name"], aliases=tuple(call["aliases"] or ())
        )
    except errors.InvalidSettingError as error:  # what a model may be called is the catalogue's to say
        raise BadRequestError(str(error), "name") from error
    states = await _states(call)
    location = f"{MODELS}/{quote(model.name, safe='')}".encode()
    shown = model_json(model, states.get(model.id))
    await answer.send_json(shown, status=201, headers=((b"location", location),))


async def remove_model(call: Call, answer: Answer) -> None:
    """Forget a model."""
    states = await _states(call)
    removed = await call.library.remove_model(call["name"], with_files=call["files"])
    await answer.send_json(
        {
            "removed": model_json(removed.model, states.get(removed.model.id)),
            "deleted": [str(path) for path in removed.deleted],
            "freed_bytes": removed.freed_bytes,
            "kept": [{"path": str(path), "reason": reason} for path, reason in removed.kept],
        }
    )


async def search(call: Call, answer: Answer) -> None:
    """Answer with what the hub has."""
    result = await call.library.search(
        call["q"], sort=HubSort(call["sort"]), limit=call["limit"], max_size_bytes=call["max_size"]
    )
    await answer.send_json(search_json(result, query=call["q"]))


async def show_repository(call: Call, answer: Answer) -> None:
    """Answer with one repository of the hub."""
    found = await call.library.show_repository(f"{call['owner']}/{call['repository']}", call["revision"])
    await answer.send_json(shown_json(found))


async def _states(call: Call) -> dict[int, str]:
    status = await call.services.runtime.status()
    return {resident.model_id: resident.state for resident in status.residents}


OPERATIONS = (
    operation(
        list_models,
        id="listModels",
        method="GET",
        path=MODELS,
        group=GROUP,
        summary="List the models of the catalogue",
        text="As `gglib list --json`. Paths are told to trusted callers only; to others they are null.",
        access=Access.ADMITTED,
        answer=ref("Models"),
        errors=(errors.CatalogError,),
    ),
    operation(
        add_model,
        id="addModel",
        method="POST",
        path=MODELS,
        group=GROUP,
        summary="Add a GGUF file of the server's machine",
        text="As `gglib add`: the file stays where it is, and the model can be used at once.",
        body=NEW_MODEL,
        status=201,
        answer=ref("Model"),
        has_location=True,
        needs_library=True,
        errors=(errors.InvalidGgufError, errors.ModelExistsError, errors.CatalogError, errors.StorageError),
    ),
    operation(
        show_model,
        id="showModel",
        method="GET",
        path=A_MODEL,
        takes_rest=True,
        group=GROUP,
        summary="Show one model",
        access=Access.ADMITTED,
        parameters=(_NAME,),
        answer=ref("Model"),
        errors=(errors.ModelNotFoundError, errors.CatalogError),
    ),
    operation(
        remove_model,
        id="removeModel",
        method="DELETE",
        path=A_MODEL,
        takes_rest=True,
        group=GROUP,
        summary="Forget one model",
        text="As `gglib rm`: its files stay, unless `files` is true. Then those go that gglib downloaded and that no "
        "other model uses; `kept` says why others stay. A model that is in memory answers until it leaves it.",
        parameters=(
            _NAME,
            query_parameter("files", "Whether its files are deleted, too.", type="boolean", default=False),
        ),
        answer=ref("RemovedModel"),
        needs_library=True,
        errors=(errors.ModelNotFoundError, errors.CatalogError, errors.StorageError),
    ),
    operation(
        search,
        id="searchHub",
        method="GET",
        path=SEARCH,
        group=HUB_GROUP,
        summary="Search the hub for GGUF models",
        text="As `gglib search --json`: what each repository offers, and whether this machine holds it.",
        parameters=(
            query_parameter(
                "q", "Words.", is_required=True, type="string", minLength=1, maxLength=MAX_QUERY_CHARS
            ),
            query_parameter(
                "sort",
                "What comes first.",
                type="string",
                enum=[sort.value for sort in HubSort],
                default=HubSort.DOWNLOADS.value,
            ),
            query_parameter(
                "limit", "Repositories at most.", type="integer", minimum=1, maximum=MAX_FOUND, default=10
            ),
            query_parameter(
                "max_size", "Leave out models that are larger, in bytes.", type="integer", minimum=1
            ),
        ),
        answer=ref("SearchResult"),
        needs_library=True,
        errors=_HUB_ERRORS,
    ),
    operation(
        show_repository,
        id="showRepository",
        method="GET",
        path=A_REPOSITORY,
        group=HUB_GROUP,
        summary="Show one repository of the hub",
        text="As `gglib show REPO --json`: what `searchHub` says of it, and every file.",
        parameters=(
            path_parameter("owner", "The first part of `owner/name`."),
            path_parameter("repository", "The second part."),
            query_parameter(
                "revision",
                "A branch, tag or commit. Default: as it is now.",
                type="string",
                minLength=1,
                maxLength=256,
            ),
        ),
        answer=ref("ShownRepository"),
        needs_library=True,
        errors=(*_HUB_ERRORS, errors.NoSuchChoiceError, errors.UnsafeNameError),
    ),
)
