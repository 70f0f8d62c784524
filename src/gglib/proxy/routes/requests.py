"""What requests to gglib's own API say in their query or body. Fields that are not here are refused."""

from typing import Annotated

from msgspec import Meta, Struct

from gglib.core.hub.repository import HubSort

MAX_TARGET_CHARS = 2048
MAX_NAME_CHARS = 200
"""As long as the catalogue takes."""
MAX_PATH_CHARS = 4096
MAX_ALIASES = 20
MAX_FOUND = 100
MAX_QUERY_CHARS = 256
RULE = "x-rule"
"""Says in a schema what a pattern means, as the end of "must be a string that ..."."""

_Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARS)]


class NoFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query or the body of an operation that takes none: whatever it says is refused."""


class NewModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model to add."""

    path: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_PATH_CHARS,
            pattern=r"^/[^\x00]*$",
            extra_json_schema={RULE: "begins with '/'"},
            description="A GGUF file of the server's machine, or any shard of one; it stays where it is.",
        ),
    ]
    name: Annotated[
        _Name | None, Meta(description="What to call it. Default: made from the file's name.")
    ] = None
    aliases: Annotated[
        Annotated[tuple[_Name, ...], Meta(max_length=MAX_ALIASES)] | None,
        Meta(description="Other names for it."),
    ] = None


class NewDownload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A download to begin."""

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
    """How a model is removed."""

    files: Annotated[bool, Meta(description="Whether its files are deleted, too.")] = False


class SearchQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is searched for on the hub."""

    q: Annotated[str, Meta(min_length=1, max_length=MAX_QUERY_CHARS, description="What to look for.")]
    sort: Annotated[HubSort, Meta(description="What comes first.")] = HubSort.DOWNLOADS
    limit: Annotated[int, Meta(ge=1, le=MAX_FOUND, description="Repositories at most.")] = 10
    max_size: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Leave out models that are larger, in bytes.")
    ] = None


class RevisionQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which state of a repository is shown."""

    revision: Annotated[
        Annotated[str, Meta(min_length=1, max_length=256)] | None,
        Meta(description="A branch, tag or commit. Default: as it is now."),
    ] = None


class Forwarded(Struct, frozen=True, kw_only=True):
    """What gglib reads of a body that goes to an engine; its other fields are the engine's."""

    model: Annotated[
        str, Meta(min_length=1, max_length=512, description="Any name of a model of the catalogue.")
    ]
    stream: bool | None = None
    num_ctx: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="The context that the request needs, in tokens.")
    ] = None
