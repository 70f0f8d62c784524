"""The shapes that the HTTP interface asks for and answers, as JSON Schema (draft 2020-12). Pure.

The shapes of answers say every field that is there and no other; tests hold every answer to them.
"""

from typing import Any

from gglib.core.downloads import DownloadState
from gglib.core.fit import Fit
from gglib.core.gguf_names import FileKind
from gglib.core.hub import Gate
from gglib.core.models import ModelCapabilities

MAX_TARGET_CHARS = 2048
MAX_NAME_CHARS = 200
"""As long as the catalogue takes."""
MAX_PATH_CHARS = 4096
MAX_ALIASES = 20


def ref(name: str) -> dict[str, Any]:
    """Return a reference to one of ``SCHEMAS``."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Any) -> dict[str, Any]:  # noqa: ANN401 - schemas
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _request(*required: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - schemas
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _of(kind: str, text: str = "", **more: object) -> dict[str, Any]:
    return {"type": kind, **({"description": text} if text else {}), **more}


def _or_null(kind: str, text: str = "", **more: object) -> dict[str, Any]:
    return {"type": [kind, "null"], **({"description": text} if text else {}), **more}


def _list(items: dict[str, Any], text: str = "") -> dict[str, Any]:
    return {"type": "array", "items": items, **({"description": text} if text else {})}


_BYTES = _of("integer", minimum=0)
_BYTES_OR_NULL = _or_null("integer", minimum=0)
_COUNT = _of("integer", minimum=0)
_SECONDS = _of("number")
_SECONDS_OR_NULL = _or_null("number")
_TEXT = _of("string")
_TEXT_OR_NULL = _or_null("string")
_UNIX = _or_null("integer", "Unix time in seconds.")
_SHA256 = _or_null("string", "Of the content, in hexadecimal digits.")

_FILE = _object(name=_TEXT, size_bytes=_BYTES, sha256=_SHA256)
_NEED = _object(
    weights_bytes=_BYTES,
    kv_bytes=_BYTES,
    compute_bytes=_BYTES,
    overhead_bytes=_BYTES,
    left_behind_bytes=_BYTES,
    is_exact=_of("boolean", "Whether a file's header told the shape of the model; else it is guessed."),
    total_bytes=_BYTES,
)
_MEMORY = _object(
    total_bytes=_BYTES_OR_NULL,
    available_bytes=_BYTES_OR_NULL,
    gpus=_list(_object(name=_TEXT, total_bytes=_BYTES, free_bytes=_BYTES)),
)
_OFFER = _object(
    label=_TEXT,
    pull=_of("string", "What to give to `POST /api/downloads` for exactly this."),
    quantization=_TEXT_OR_NULL,
    size_bytes=_BYTES,
    fit=_of("string", "Whether this machine holds it now.", enum=[fit.value for fit in Fit]),
    slots=_of("integer", "How many requests it would answer at a time.", minimum=1),
    need=_NEED,
    files=_list(_FILE, "In shard order."),
)
_REPOSITORY_FIELDS: dict[str, Any] = {
    "repo": _of("string", "`owner/name`."),
    "revision": _of("string", "The commit."),
    "downloads": _COUNT,
    "likes": _COUNT,
    "updated_at": _UNIX,
    "licence": _TEXT_OR_NULL,
    "gate": _of("string", enum=[gate.value for gate in Gate]),
    "tags": _list(_TEXT),
    "architecture": _TEXT_OR_NULL,
    "parameter_count": _or_null("integer"),
    "trained_context": _or_null("integer", "In tokens."),
    "context": _of("integer", "For which memory was judged, in tokens."),
    "suggested": _or_null("string", "The label of what gglib would take."),
    "offers": _list(ref("Offer"), "Smallest first."),
    "projectors": _list(_FILE),
    "incomplete": _list(_TEXT, "Models of which a shard is missing."),
    "pieces": _list(_TEXT),
    "unsafe": _list(_TEXT, "Names that are not used on this machine."),
}
_SHOWN_FILE = _object(
    name=_TEXT,
    size_bytes=_BYTES,
    sha256=_SHA256,
    kind=_of("string", enum=[kind.value for kind in FileKind]),
    label=_or_null("string", "Of the offer that it belongs to."),
    unsafe=_of("boolean"),
)

_MODEL = _object(
    id=_of("integer"),
    name=_TEXT,
    aliases=_list(_TEXT),
    description=_TEXT,
    architecture=_TEXT_OR_NULL,
    parameter_count=_or_null("integer"),
    quantization=_TEXT_OR_NULL,
    size_bytes=_BYTES_OR_NULL,
    trained_context=_or_null("integer", "In tokens."),
    context=_or_null("integer", "Its own setting, in tokens; null where the default holds."),
    idle_ttl_s=_SECONDS_OR_NULL,
    kind=_or_null(
        "string", "What it is served as: `chat`, `embedding` or `rerank`; null: as its header says."
    ),
    capabilities=_list(
        _of("string", enum=list(ModelCapabilities.__slots__)), "What it can be asked for, as it is served."
    ),
    tags=_list(_TEXT),
    state=_or_null("string", "`loading`, `ready`, `draining` or `stopping`; null when it is not in memory."),
    paths={
        "type": ["array", "null"],
        "items": _TEXT,
        "description": "Every file, in shard order; null for whoever is not trusted.",
    },
    hashes=_list(_SHA256),
    source=_object(
        origin=_TEXT_OR_NULL,
        repo=_TEXT_OR_NULL,
        revision=_or_null("string", "The commit."),
        asked_revision=_or_null("string", "What was asked for by name; null: the newest."),
        url=_or_null("string", "The address, without its query."),
        file=_TEXT_OR_NULL,
        sha256=_SHA256,
    ),
    projector=_or_null("string", "The path of its mmproj; null for whoever is not trusted."),
    projector_sha256=_SHA256,
    is_downloaded=_of("boolean", "Whether gglib brought the files, and may delete them."),
    chat_template_sha256=_SHA256,
    added_at=_of("integer", "Unix time in seconds."),
    last_used_at=_UNIX,
)
_DOWNLOAD = _object(
    id=_TEXT,
    target=_of("string", "What was asked for; an address without its query."),
    state=_of("string", enum=[state.value for state in DownloadState]),
    model_name=_or_null("string", "What the model is called; null before it is done."),
    file=_or_null("string", "The file that is worked on."),
    phase=_or_null(
        "string",
        "`waiting` (another one fetches the same), `downloading`, `verifying` or `adding`; null before it began.",
    ),
    done_bytes=_of("integer", "Of all files together.", minimum=0),
    total_bytes=_or_null("integer", "Of all files together; null where nobody knows.", minimum=0),
    bytes_per_s=_or_null("integer", "Over the last seconds; null where nothing is moving.", minimum=0),
    left_s=_or_null("integer", "How long it takes at this speed.", minimum=0),
    error={
        "description": "Why it failed; the codes are those of errors. Null unless it did.",
        "anyOf": [_object(code=_TEXT, message=_TEXT), {"type": "null"}],
    },
    created_at=_of("integer", "Unix time in seconds."),
    started_at=_UNIX,
    ended_at=_UNIX,
)
_RESIDENT = _object(
    model_id=_of("integer"),
    model_name=_TEXT,
    state=_TEXT,
    effective_ctx=_of("integer", "In tokens, for each request."),
    in_flight=_COUNT,
    slots=_or_null("integer", "How many requests it computes at a time; null while that is not known."),
    pid=_or_null("integer"),
    uptime_s=_SECONDS_OR_NULL,
    load_time_s=_SECONDS_OR_NULL,
    loading_for_s=_SECONDS_OR_NULL,
    expected_load_s=_SECONDS_OR_NULL,
    idle_ttl_s=_SECONDS_OR_NULL,
)
_SWAP = _object(
    from_model=_TEXT_OR_NULL,
    to_model=_TEXT_OR_NULL,
    why=_TEXT,
    request_id=_TEXT_OR_NULL,
    waited_s=_SECONDS,
    drain_s=_SECONDS,
    stop_s=_SECONDS,
    load_s=_SECONDS,
    total_s=_SECONDS,
    error=_TEXT_OR_NULL,
    ago_s=_SECONDS,
)

SCHEMAS: dict[str, dict[str, Any]] = {
    "Error": _object(error=_object(message=_TEXT, type=_TEXT, param=_TEXT_OR_NULL, code=_TEXT_OR_NULL)),
    "Health": _object(status=_of("string", const="ok")),
    "Model": _MODEL,
    "Models": _object(models=_list(ref("Model"), "In the order in which they were added.")),
    "RemovedModel": _object(
        removed=ref("Model"),
        deleted=_list(_TEXT, "Paths of the files that are gone."),
        freed_bytes=_BYTES,
        kept=_list(_object(path=_TEXT, reason=_TEXT), "Files that stay though they were to go."),
    ),
    "Offer": _OFFER,
    "Repository": _object(**_REPOSITORY_FIELDS),
    "ShownRepository": _object(**_REPOSITORY_FIELDS, memory=_MEMORY, files=_list(_SHOWN_FILE)),
    "SearchResult": _object(
        query=_TEXT,
        memory=_MEMORY,
        repositories=_list(ref("Repository"), "Best first."),
        left_out=_of("integer", "Repositories that have nothing to pull, or nothing of the size.", minimum=0),
    ),
    "Download": _DOWNLOAD,
    "Downloads": _object(downloads=_list(ref("Download"), "The newest last.")),
    "Status": _object(
        version=_TEXT,
        residents=_list(_RESIDENT),
        waiting=_list(_object(model_name=_TEXT, waiting=_COUNT, longest_wait_s=_SECONDS)),
        failed=_list(_object(model_name=_TEXT, reason=_TEXT)),
        last_swap={"anyOf": [_SWAP, {"type": "null"}]},
        swaps=_list(_object(reason=_TEXT, count=_COUNT)),
        loads=_list(_object(model_name=_TEXT, outcome=_TEXT, count=_COUNT, total_s=_SECONDS)),
    ),
    "Stopped": _object(stopped=_list(_TEXT, "The names of what was in memory.")),
}

NEW_MODEL = _request(
    "path",
    path=_of(
        "string",
        "A GGUF file of the server's machine, or any shard of one; it stays where it is.",
        minLength=1,
        maxLength=MAX_PATH_CHARS,
        pattern=r"^/[^\u0000]*$",
        **{"x-rule": "begins with '/'"},
    ),
    name=_or_null(
        "string",
        "What to call it. Default: made from the file's name.",
        minLength=1,
        maxLength=MAX_NAME_CHARS,
    ),
    aliases={
        "type": ["array", "null"],
        "items": _of("string", minLength=1, maxLength=MAX_NAME_CHARS),
        "maxItems": MAX_ALIASES,
        "description": "Other names for it.",
    },
)
NEW_DOWNLOAD = _request(
    "target",
    target=_of(
        "string",
        "`REPO[:QUANT][@REVISION]`, `REPO/FILE.gguf[@REVISION]` or `https://…/FILE.gguf`, as for `gglib pull`.",
        minLength=1,
        maxLength=MAX_TARGET_CHARS,
    ),
)
FORWARDED = {
    "type": "object",
    "properties": {
        "model": _of("string", "Any name of a model of the catalogue.", minLength=1, maxLength=512),
        "stream": _or_null("boolean"),
        "num_ctx": _or_null("integer", "The context that the request needs, in tokens.", minimum=1),
    },
    "required": ["model"],
    "additionalProperties": True,
}
