"""The query and body types of gglib's own API. Unknown fields are refused."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from gglib.core.history import times
from gglib.core.hub.repository import HubSort
from gglib.core.models import ModelKind
from gglib.core.ports.runtime import MAX_SWAPS
from gglib.core.profile_rules import MAX_FIELDS, MAX_TEXT_CHARS

MAX_TARGET_CHARS = 2048
MAX_NAME_CHARS = 200
"""The limit of the catalogue."""
MAX_PATH_CHARS = 4096
MAX_ALIASES = 20
MAX_TAGS = 100
MAX_RESULTS = 100
MAX_QUERY_CHARS = 256
RULE = "x-rule"
"""Schema key that describes a pattern, as the end of "must be a string that ..."."""

_END = r"$(?!\n)"
"""The end of a text, in ECMAScript and in Python, whose ``$`` also precedes a line feed there."""
_PORT = "(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
"""1 to 65535."""
MAX_REQUESTS = 1000
MAX_LOG_LINES = 5000
_Filter = Annotated[str, Meta(max_length=256)] | None
_Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARS)]


class NoFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query or body of an operation that has none: all fields are refused."""


class NewModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model to add."""

    path: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_PATH_CHARS,
            pattern=r"^/[^\x00]*$",
            extra_json_schema={RULE: "begins with '/'"},
            description="Path of a GGUF file, or any shard of it, on the server's machine. The file is not moved.",
        ),
    ]
    name: Annotated[
        _Name | None, Meta(description="Name of the model. Default: derived from the file name.")
    ] = None
    aliases: Annotated[
        Annotated[tuple[_Name, ...], Meta(max_length=MAX_ALIASES)] | None,
        Meta(description="Further names."),
    ] = None


class ModelChanges(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of a model's names and settings, as a merge patch (RFC 7396): absent fields stay, null resets a field."""

    name: Annotated[
        _Name | UnsetType, Meta(description="The new name; the old one is not kept, unless as an alias.")
    ] = UNSET
    aliases: Annotated[
        Annotated[tuple[_Name, ...], Meta(max_length=MAX_ALIASES)] | UnsetType | None,
        Meta(description="Replaces all further names; null: none."),
    ] = UNSET
    tags: Annotated[
        Annotated[tuple[_Name, ...], Meta(max_length=MAX_TAGS)] | UnsetType | None,
        Meta(description="Replaces all tags; null: none."),
    ] = UNSET
    context: Annotated[
        Annotated[int, Meta(ge=1, le=2**31 - 1)] | UnsetType | None,
        Meta(description="In tokens; null: the default applies."),
    ] = UNSET
    idle_ttl_s: Annotated[
        Annotated[float, Meta(ge=0)] | UnsetType | None,
        Meta(description="Unload it after this time without requests; null or 0: never."),
    ] = UNSET
    kind: Annotated[
        ModelKind | UnsetType | None, Meta(description="How it is served; null: as its header says.")
    ] = UNSET
    is_pinned: Annotated[
        bool | UnsetType | None, Meta(description="Keep it in memory once it is loaded; null: false.")
    ] = UNSET
    priority: Annotated[
        Literal["interactive", "batch"] | UnsetType | None,
        Meta(description="Priority of its requests; null: the default applies."),
    ] = UNSET
    keep_conversations: Annotated[
        bool | UnsetType | None,
        Meta(
            description="Keep the prompts of its conversations while it is not in memory; null: where that does not "
            "slow down swaps."
        ),
    ] = UNSET


MAX_NODE_CHARACTERS = 200
_NODE = (
    "The node, by its name in `GET /gglib/nodes`. Default: the machine of this server, or the only node that has the "
    "model."
)


class LoadOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options for loading a model."""

    num_ctx: Annotated[
        Annotated[int, Meta(ge=1, le=2**31 - 1)] | None,
        Meta(description="Context in tokens, as in a request. Default: as for a request without it."),
    ] = None
    node: Annotated[
        Annotated[str, Meta(min_length=1, max_length=MAX_NODE_CHARACTERS)] | None, Meta(description=_NODE)
    ] = None


class UnloadOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options for unloading a model."""

    node: Annotated[
        Annotated[str, Meta(min_length=1, max_length=MAX_NODE_CHARACTERS)] | None, Meta(description=_NODE)
    ] = None


class ProfileQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model of a profile."""

    model: Annotated[
        Annotated[str, Meta(min_length=1, max_length=512)] | None,
        Meta(description="Any name of its model. Default: the profile of all models."),
    ] = None


class NewProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A profile: defaults for the fields that a request does not set."""

    description: Annotated[str, Meta(max_length=512, description="Shown in the list of models.")] = ""
    system: Annotated[
        Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_CHARS)] | None,
        Meta(description="System prompt of requests without one."),
    ] = None
    defaults: Annotated[dict[str, Any], Meta(description="Values of request fields, by name.")] = field(
        default_factory=dict
    )
    template_kwargs: Annotated[
        dict[str, Any], Meta(description="Members of `chat_template_kwargs`, by name.")
    ] = field(default_factory=dict)
    strip: Annotated[
        tuple[Annotated[str, Meta(max_length=64)], ...],
        Meta(max_length=MAX_FIELDS, description="Fields that are removed from requests, even if set."),
    ] = ()


class NewDownload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A download to start."""

    target: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_TARGET_CHARS,
            description="`REPO[:QUANT][@REVISION]`, `REPO/FILE.gguf[@REVISION]` or `https://…/FILE.gguf`, as for "
            "`gglib pull`.",
        ),
    ]


class RemoveQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options for removing a model."""

    files: Annotated[bool, Meta(description="Also delete its files.")] = False


class CancelQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options for cancelling a download."""

    files: Annotated[bool, Meta(description="Also delete its partial files that no other pull needs.")] = (
        False
    )


class WithdrawQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The gglib that has forwarded a request."""

    front: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_NAME_CHARS,
            description="Its `instance`, as in its `GET /gglib/status`.",
        ),
    ]


class SearchQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A search of the hub."""

    q: Annotated[str, Meta(min_length=1, max_length=MAX_QUERY_CHARS, description="Search terms.")]
    sort: Annotated[HubSort, Meta(description="Sort order.")] = HubSort.DOWNLOADS
    limit: Annotated[int, Meta(ge=1, le=MAX_RESULTS, description="Maximum number of repositories.")] = 10
    max_size: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Omit models larger than this, in bytes.")
    ] = None


class RequestsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A search of requests: those that fit all parameters. Names are exact; an empty one finds requests without one."""

    state: Annotated[
        Literal["running", "finished"] | None,
        Meta(description="Only requests in progress, or only stored ones."),
    ] = None
    key: Annotated[_Filter, Meta(description="Name of the access key.")] = None
    client: Annotated[_Filter, Meta(description="Name of the client program.")] = None
    model: Annotated[_Filter, Meta(description="Name of the model in the catalogue.")] = None
    profile: _Filter = None
    route: Annotated[_Filter, Meta(description="Path, or its template.")] = None
    error: Annotated[_Filter, Meta(description="Code of the error.")] = None
    node: Annotated[_Filter, Meta(description="Name of the machine that computed.")] = None
    request_id: Annotated[_Filter, Meta(description="The `x-request-id` of the response.")] = None
    status: Annotated[
        Annotated[
            str,
            Meta(
                pattern=f"^(?:[1-5][0-9][0-9]|[1-5]xx|failed){_END}",
                extra_json_schema={RULE: "is a status such as 404, a class such as 4xx, or 'failed'"},
            ),
        ]
        | None,
        Meta(description="Status of the response."),
    ] = None
    failed: Annotated[
        bool | None, Meta(description="Whether it has an error, or its response is incomplete.")
    ] = None
    swap: Annotated[bool | None, Meta(description="Whether it caused a swap.")] = None
    min_duration_s: Annotated[Annotated[float, Meta(ge=0)] | None, Meta(description="At least so long.")] = (
        None
    )
    q: Annotated[_Filter, Meta(description="A part of any name, ignoring the case of ASCII letters.")] = None
    since: Annotated[_Filter, Meta(description=f"Ended then or later: {times.EXPECTED}.")] = None
    until: Annotated[_Filter, Meta(description="Ended before then, in the same forms.")] = None
    limit: Annotated[
        int, Meta(ge=1, le=MAX_REQUESTS, description="Maximum number of stored requests, the newest first.")
    ] = 50
    before: Annotated[
        Annotated[int, Meta(ge=0)] | None, Meta(description="Only stored requests with a lower number.")
    ] = None
    after: Annotated[
        Annotated[int, Meta(ge=0)] | None, Meta(description="Only stored requests with a higher number.")
    ] = None


class UsageParameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which usage is added up. Names are exact; an empty one selects requests without one."""

    by: Annotated[
        Annotated[
            str,
            Meta(
                pattern=f"^(?:(?:hour|day|key|model|client)(?:,(?!$)|$))*{_END}",
                extra_json_schema={RULE: "lists hour or day, key, model, client, separated by commas"},
            ),
        ]
        | None,
        Meta(
            description="What it is grouped by: `hour` or `day`, `key`, `model`, `client`. Default: nothing."
        ),
    ] = None
    since: Annotated[_Filter, Meta(description=f"From the hour of: {times.EXPECTED}.")] = None
    until: Annotated[_Filter, Meta(description="Before the hour of, in the same forms.")] = None
    key: Annotated[_Filter, Meta(description="Name of the access key.")] = None
    model: Annotated[_Filter, Meta(description="Name of the model in the catalogue.")] = None
    client: Annotated[_Filter, Meta(description="Name of the client program.")] = None


class EventsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events are followed."""

    requests: Annotated[bool, Meta(description="Also those of requests.")] = False


class SwapsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many swaps are listed."""

    limit: Annotated[int, Meta(ge=1, le=MAX_SWAPS, description="Maximum number of swaps.")] = 50


class LogQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of a log is sent."""

    lines: Annotated[int, Meta(ge=0, le=MAX_LOG_LINES, description="Number of lines from the end.")] = 200


class LogEventsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of a log is sent before its new lines."""

    lines: Annotated[
        int, Meta(ge=0, le=MAX_LOG_LINES, description="Number of lines from the end, in the first event.")
    ] = 0


class ClientsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What clients are connected to."""

    model: Annotated[
        Annotated[str, Meta(min_length=1, max_length=512)] | None,
        Meta(description="Any name of the model. Default: that of a request without one."),
    ] = None
    url: Annotated[
        Annotated[
            str,
            Meta(
                max_length=256,
                pattern=rf"^https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::{_PORT})?/?{_END}",
                extra_json_schema={RULE: "is a URL without a path, such as http://192.168.1.2:8080"},
            ),
        ]
        | None,
        Meta(description="The base URL of the server for the clients. Default: that on this machine."),
    ] = None


class RevisionQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The revision of a repository."""

    revision: Annotated[
        Annotated[str, Meta(min_length=1, max_length=256)] | None,
        Meta(description="A branch, tag or commit. Default: the latest."),
    ] = None


class EngineQuery(Struct, frozen=True, kw_only=True):
    """The model of a request to one engine; the engine reads the other parameters."""

    model: Annotated[
        str | None,
        Meta(description="Any name of the model. Default: the one in memory that was used last."),
    ] = None
    autoload: Annotated[str | None, Meta(description="`false`: the model is not loaded for the request.")] = (
        None
    )


class RouterModel(Struct, frozen=True, kw_only=True):
    """The model to load or unload, as in llama.cpp's router; other fields are ignored."""

    model: Annotated[str, Meta(description="Any name of the model, or an alias list.")]


class Forwarded(Struct, frozen=True, kw_only=True):
    """The fields of a forwarded body that gglib reads; the engine reads the others."""

    model: Annotated[
        Annotated[str, Meta(max_length=512)] | None,
        Meta(
            description="Name, alias or number of a model in the catalogue, an alias list, `MODEL:PROFILE`, or a "
            "name that an alias pattern matches. Default: the setting `default_model`, or the only model that fits."
        ),
    ] = None
    stream: bool | None = None
    num_ctx: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Context size that the request needs, in tokens.")
    ] = None
