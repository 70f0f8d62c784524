"""Decodes responses of ``/gglib`` into the values that the views show. Pure.

Fields of newer servers are ignored; missing fields of older servers have defaults.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gglib.core.backends import DEFAULT_HEALTH_PATH, Backend, CommandBackend, UrlBackend
from gglib.core.hub.repository import Gating, HubFile, HubRepository
from gglib.core.hub.search_results import RepositoryResult, SearchResult, VariantResult
from gglib.core.hub.variants import Variant, Variants
from gglib.core.memory import Fit, GpuMemory, MachineMemory, MemoryNeed
from gglib.core.models import ModelCapabilities, ModelSettings, ModelSource, ModelSummary
from gglib.core.priority import Priority

Json = Mapping[str, Any]


def model_of(fields: Json) -> ModelSummary:
    """Return a model of ``GET /gglib/models``."""
    paths, hashes = tuple(fields.get("paths") or ()), tuple(fields.get("hashes") or ())
    capabilities = [name for name in fields.get("capabilities", ()) if name in ModelCapabilities.__slots__]
    return ModelSummary(
        id=fields["id"],
        name=fields["name"],
        aliases=tuple(fields.get("aliases", ())),
        description=fields.get("description", ""),
        architecture=fields.get("architecture"),
        quantization=fields.get("quantization"),
        parameter_count=fields.get("parameter_count"),
        size_bytes=fields.get("size_bytes"),
        trained_context=fields.get("trained_context"),
        capabilities=ModelCapabilities(**dict.fromkeys(capabilities, True)),
        tags=tuple(fields.get("tags", ())),
        settings=ModelSettings(
            context=fields.get("context"),
            engine_args=tuple(fields.get("engine_args") or ()),
            idle_ttl_s=fields.get("idle_ttl_s"),
            kind=fields.get("kind"),
            is_pinned=bool(fields.get("is_pinned")),
            priority=_priority_of(fields.get("priority")),
            keep_conversations=fields.get("keep_conversations"),
        ),
        source=_source_of(fields.get("source") or {}),
        backend=_backend_of(fields.get("backend")),
        paths=tuple(map(Path, paths)),
        hashes=hashes if len(hashes) == len(paths) else (),  # a key without admin rights gets no paths
        projector=None if fields.get("projector") is None else Path(fields["projector"]),
        projector_sha256=fields.get("projector_sha256"),
        is_downloaded=bool(fields.get("is_downloaded")),
        chat_template_sha256=fields.get("chat_template_sha256"),
        added_at=fields.get("added_at", 0),
        last_used_at=fields.get("last_used_at"),
    )


def _backend_of(fields: Json | None) -> Backend | None:
    if fields is None:
        return None
    routes = tuple(fields.get("routes", ()))
    if fields.get("kind") == "command":
        launch = fields.get("launch") or {}  # null for a key without admin rights
        directory = launch.get("directory")
        return CommandBackend(
            argv=tuple(fields.get("command") or ()),
            model=fields.get("served_name"),
            routes=routes,
            directory=None if directory is None else Path(directory),
            health_path=launch.get("health_path", DEFAULT_HEALTH_PATH),
            start_timeout_s=launch.get("start_timeout_s"),
            stop_signal=launch.get("stop_signal", "TERM"),
            memory=tuple(launch.get("memory_bytes", {}).items()),
            slots=launch.get("slots"),
        )
    return UrlBackend(
        base_url=fields.get("url") or "",
        key_env=fields.get("key_env"),
        model=fields.get("served_name"),
        routes=routes,
    )


def search_result_of(fields: Json) -> SearchResult:
    """Return the result of ``GET /gglib/hub/models``."""
    memory = _memory_of(fields["memory"])
    repositories = tuple(_repository_of(found, memory, None, ()) for found in fields["repositories"])
    return SearchResult(repositories=repositories, memory=memory, left_out=fields.get("left_out", 0))


def repository_of(fields: Json, asked_revision: str | None) -> RepositoryResult:
    """Return the result of ``GET /gglib/hub/models/{owner}/{repository}``."""
    files = tuple(map(_file_of, fields["files"]))
    return _repository_of(fields, _memory_of(fields["memory"]), asked_revision, files)


def _priority_of(name: str | None) -> Priority | None:
    return next((priority for priority in Priority if priority.name.lower() == name), None)


def _source_of(fields: Json) -> ModelSource:
    return ModelSource(
        **{name: fields.get(name) for name in ModelSource.__slots__ if fields.get(name) is not None}
    )


def _memory_of(fields: Json) -> MachineMemory:
    return MachineMemory(
        total_bytes=fields["total_bytes"],
        available_bytes=fields["available_bytes"],
        gpus=tuple(
            GpuMemory(
                name=gpu["name"],
                total_bytes=gpu["total_bytes"],
                free_bytes=gpu["free_bytes"],
                vendor=gpu.get("vendor", ""),
            )
            for gpu in fields.get("gpus", ())
        ),
    )


def _repository_of(
    fields: Json, memory: MachineMemory, asked_revision: str | None, files: Sequence[HubFile]
) -> RepositoryResult:
    quantizations = [variant["quantization"] for variant in fields["variants"]]
    results = tuple(_variant_of(variant, quantizations) for variant in fields["variants"])
    suggested = (r.variant for r in results if r.variant.label == fields.get("suggested"))
    return RepositoryResult(
        repository=HubRepository(
            repo=fields["repo"],
            revision=fields["revision"],
            files=tuple(files),
            downloads=fields["downloads"],
            likes=fields["likes"],
            updated_at=fields["updated_at"],
            licence=fields["licence"],
            gate=Gating(fields["gate"]),
            tags=tuple(fields["tags"]),
        ),
        variants=Variants(
            models=tuple(result.variant for result in results),
            projectors=tuple(map(_file_of, fields["projectors"])),
            incomplete=tuple(fields["incomplete"]),
            pieces=tuple(fields["pieces"]),
            unsafe=tuple(fields["unsafe"]),
        ),
        results=results,
        suggested=next(suggested, None),
        memory=memory,
        context=fields["context"],
        architecture=fields["architecture"],
        parameter_count=fields["parameter_count"],
        trained_context=fields["trained_context"],
        asked_revision=asked_revision,
    )


def _variant_of(fields: Json, quantizations: Sequence[str | None]) -> VariantResult:
    need = fields["need"]
    return VariantResult(
        variant=Variant(
            quantization=fields["quantization"],
            files=tuple(map(_file_of, fields["files"])),
            is_unique=quantizations.count(fields["quantization"]) == 1,
        ),
        need=MemoryNeed(**{name: need[name] for name in MemoryNeed.__slots__}),
        fit=Fit(fields["fit"]),
        slots=fields["slots"],
    )


def _file_of(fields: Json) -> HubFile:
    return HubFile(name=fields["name"], size_bytes=fields["size_bytes"], sha256=fields["sha256"])
