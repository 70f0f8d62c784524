"""Responses about models of the catalogue. Values only."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from msgspec import Meta

from gglib.core import backends
from gglib.core import nodes as node_values
from gglib.core.hub.shown_source import shown_url
from gglib.core.models import ModelSource, ModelSummary, RunningTarget
from gglib.core.ports import library
from gglib.proxy.routes.responses.fields import (
    Bytes,
    Commit,
    Sha256,
    Tokens,
    UnixTime,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Origin of a model's files; all fields are null for files that the user added."""

    origin: str | None
    repo: str | None
    revision: Commit
    asked_revision: Annotated[
        str | None, Meta(description="The requested branch, tag or commit; null: the latest.")
    ]
    url: Annotated[str | None, Meta(description="The URL without its query, which may contain a signature.")]
    file: str | None
    sha256: Sha256

    @classmethod
    def of(cls, source: ModelSource) -> Self:
        """Return the JSON form of a source."""
        return cls(
            origin=source.origin,
            repo=source.repo,
            revision=source.revision,
            asked_revision=source.asked_revision,
            url=shown_url(source),
            file=source.file,
            sha256=source.sha256,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendLaunch:
    """How the command of a model runs."""

    directory: Annotated[str, Meta(description="Its working directory.")]
    health_path: Annotated[str, Meta(description="Responds with 200 when it is ready.")]
    start_timeout_s: Annotated[float | None, Meta(description="null: the default of gglib.")]
    stop_signal: Annotated[str, Meta(description="`TERM`, `INT`, `QUIT`, `HUP` or `KILL`.")]
    memory_bytes: Annotated[
        dict[str, int], Meta(description="By device (`ram`, `gpu0`); empty: measured at its launches.")
    ]
    slots: Annotated[int | None, Meta(description="Requests at a time; null: unknown.")]

    @classmethod
    def of(cls, command: backends.CommandBackend) -> Self:
        """Return the JSON form of a command's launch."""
        return cls(
            directory=str(command.directory or Path("/")),
            health_path=command.health_path,
            start_timeout_s=command.start_timeout_s,
            stop_signal=command.stop_signal,
            memory_bytes=dict(command.memory),
            slots=command.slots,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """What serves a model instead of llama.cpp: set on the server's machine only."""

    kind: Annotated[str, Meta(description="`command`: gglib runs it; `url`: it runs elsewhere.")]
    command: Annotated[
        tuple[str, ...] | None, Meta(description="Its words; null for callers without admin rights.")
    ]
    url: Annotated[str | None, Meta(description="Its base URL; null for callers without admin rights.")]
    key_env: Annotated[
        str | None,
        Meta(description="Environment variable with its key; null for callers without admin rights."),
    ]
    served_name: Annotated[str | None, Meta(description="The model's name there; null: its name here.")]
    routes: Annotated[
        tuple[str, ...], Meta(description="The paths that it serves; empty: those of the model's kind.")
    ]
    launch: Annotated[
        BackendLaunch | None,
        Meta(description="How the command runs; null for URLs, and for callers without admin rights."),
    ]

    @classmethod
    def of(cls, backend: backends.Backend, *, is_for_admin: bool) -> Self:
        """Return the JSON form of a backend."""
        command, url = None, None
        if isinstance(backend, backends.CommandBackend):
            command = backend
        else:
            url = backend
        return cls(
            kind="url" if command is None else "command",
            command=command.argv if command is not None and is_for_admin else None,
            url=url.base_url if url is not None and is_for_admin else None,
            key_env=url.key_env if url is not None and is_for_admin else None,
            served_name=backend.model if is_for_admin else None,
            routes=backend.routes,
            launch=BackendLaunch.of(command) if command is not None and is_for_admin else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCopy:
    """A model at one node."""

    node: str
    name: Annotated[str, Meta(description="Its name there: the same file can have several.")]
    state: Annotated[
        str | None, Meta(description="`loading`, `ready`, `draining` or `stopping`; null if not in memory.")
    ]

    @classmethod
    def of(cls, copy: node_values.ModelCopy) -> Self:
        """Return the JSON form of a copy."""
        return cls(node=copy.node, name=copy.model_name, state=copy.state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model of the catalogue."""

    id: int
    name: str
    aliases: tuple[str, ...]
    alias_lists: Annotated[
        tuple[str, ...], Meta(description="Alias lists and patterns of the settings that name it.")
    ]
    description: str
    architecture: str | None
    parameter_count: int | None
    quantization: str | None
    size_bytes: Bytes | None
    trained_context: Tokens
    context: Annotated[
        int | None, Meta(description="The model's own setting, in tokens; null: the default applies.")
    ]
    idle_ttl_s: float | None
    kind: Annotated[
        str | None,
        Meta(
            description="How it is served: `chat`, `embedding` or `rerank`; null: determined from its header."
        ),
    ]
    is_pinned: Annotated[bool, Meta(description="Whether it stays in memory once it is loaded.")]
    priority: Annotated[
        str | None,
        Meta(description="Priority of its requests: `interactive` or `batch`; null: the default applies."),
    ]
    keep_conversations: Annotated[
        bool | None,
        Meta(
            description="Whether the prompts of its conversations are kept while it is not in memory; null: where "
            "that does not slow down swaps."
        ),
    ]
    capabilities: Annotated[tuple[str, ...], Meta(description="Capabilities of the model as it is served.")]
    tags: tuple[str, ...]
    state: Annotated[
        str | None,
        Meta(
            description="On the machine of this server: `loading`, `ready`, `draining` or `stopping`; null if not "
            "in memory."
        ),
    ]
    paths: Annotated[
        tuple[str, ...] | None,
        Meta(description="All files, in shard order; null for callers without admin rights."),
    ]
    hashes: tuple[Sha256, ...]
    source: Source
    projector: Annotated[
        str | None, Meta(description="Path of its mmproj; null for callers without admin rights.")
    ]
    projector_sha256: Sha256
    engine_args: Annotated[
        tuple[str, ...] | None,
        Meta(description="Set on the server's machine only; null for callers without admin rights."),
    ]
    backend: Annotated[
        Backend | None, Meta(description="What serves the model; null: llama.cpp, from its files.")
    ]
    is_downloaded: Annotated[
        bool, Meta(description="Whether gglib downloaded the files and may delete them.")
    ]
    chat_template_sha256: Sha256
    added_at: UnixTime
    last_used_at: Annotated[
        int | None,
        Meta(description="Unix time in seconds; null if unused, and for callers without admin rights."),
    ]
    nodes: Annotated[
        tuple[ModelCopy, ...],
        Meta(
            description="The nodes that have it, the machine of this server among them; empty if the server has no "
            "other nodes, and for callers without admin rights."
        ),
    ] = ()

    @classmethod
    def of(
        cls,
        model: ModelSummary,
        state: str | None,
        *,
        alias_lists: tuple[str, ...] = (),
        copies: tuple[node_values.ModelCopy, ...] = (),
        is_for_admin: bool = True,
    ) -> Self:
        """Return the JSON form of a model. ``state`` is None without a server or if the model is not in memory.

        Paths, the engine arguments and the time of the last use are None unless it is for an admin.
        """
        return cls(
            id=model.id,
            name=model.name,
            aliases=model.aliases,
            alias_lists=alias_lists,
            description=model.description,
            architecture=model.architecture,
            parameter_count=model.parameter_count,
            quantization=model.quantization,
            size_bytes=model.size_bytes,
            trained_context=model.trained_context,
            context=model.settings.context,
            idle_ttl_s=model.settings.idle_ttl_s,
            kind=model.settings.kind,
            is_pinned=model.settings.is_pinned,
            priority=None if model.settings.priority is None else model.settings.priority.name.lower(),
            keep_conversations=model.settings.keep_conversations,
            capabilities=tuple(model.capabilities.names()),
            tags=model.tags,
            state=state,
            paths=tuple(map(str, model.paths)) if is_for_admin else None,
            hashes=model.hashes,
            source=Source.of(model.source),
            projector=str(model.projector) if is_for_admin and model.projector is not None else None,
            projector_sha256=model.projector_sha256,
            engine_args=model.settings.engine_args if is_for_admin else None,
            backend=None if model.backend is None else Backend.of(model.backend, is_for_admin=is_for_admin),
            is_downloaded=model.is_downloaded,
            chat_template_sha256=model.chat_template_sha256,
            added_at=model.added_at,
            last_used_at=model.last_used_at if is_for_admin else None,
            nodes=tuple(map(ModelCopy.of, copies)) if is_for_admin else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The catalogue."""

    models: Annotated[tuple[Model, ...], Meta(description="In the order in which they were added.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model that is ready for requests."""

    model_id: int
    model_name: str
    effective_ctx: Annotated[
        int | None,
        Meta(description="Context of each request, in tokens; null if a node has not reported it yet."),
    ]
    node: Annotated[str | None, Meta(description="The node; null for the machine of this server.")] = None

    @classmethod
    def of(cls, target: RunningTarget) -> Self:
        """Return the JSON form of a target, without its address."""
        return cls(model_id=target.model_id, model_name=target.model_name, effective_ctx=target.effective_ctx)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file that was not deleted."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedModel:
    """A removed model and its files."""

    removed: Model
    deleted: Annotated[tuple[str, ...], Meta(description="Paths of the deleted files.")]
    freed_bytes: Bytes
    kept: Annotated[tuple[KeptFile, ...], Meta(description="Files that were not deleted.")]

    @classmethod
    def of(cls, removed: library.RemovedModel, state: str | None) -> Self:
        """Return the JSON form of a removal."""
        return cls(
            removed=Model.of(removed.model, state),
            deleted=tuple(map(str, removed.deleted)),
            freed_bytes=removed.freed_bytes,
            kept=tuple(KeptFile(path=str(path), reason=reason) for path, reason in removed.kept),
        )
