"""Reads the responses of another gglib. Pure.

Fields of newer versions are ignored, and fields that older ones lack have defaults. A response without the necessary
fields, or with others of a wrong type, raises ``UnreadableError``: the sizes are bounded by the caller.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar, cast, get_args

import msgspec

from gglib.core.hub.downloads import DownloadState
from gglib.core.memory import RAM, DeviceBytes, DeviceMemory
from gglib.core.models import ModelCapabilities, ModelKind, ModelSettings, ModelSource, ModelSummary
from gglib.core.name_rules import is_name
from gglib.core.nodes import ModelContent, NodeDownload, NodeModel
from gglib.core.plain_text import escape_line
from gglib.core.priority import Priority
from gglib.core.runtime.kept_prompts import KeptTotals
from gglib.core.runtime.status import (
    LoadCount,
    RemoteStatus,
    ResidentStatus,
    RuntimeStatus,
    SwapCount,
    SwapStatus,
    WaitingStatus,
)
from gglib.nodes.peers.failures import MAX_MESSAGE_CHARS
from gglib.nodes.peers.plausible import LARGEST_INTEGER, is_plausible

MAX_MODELS = 10_000
"""Models beyond this number are ignored."""

STARTING, READY, DRAINING = "starting", "ready", "draining"
"""The values of ``readiness``, as of ``GET /ready``."""

T = TypeVar("T")
_Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_INTEGER)]


class UnreadableError(Exception):
    """A response is not what this version of gglib expects. ``version`` is that of its sender, if that is a gglib."""

    def __init__(self, version: str | None = None) -> None:
        super().__init__("The response cannot be read.")
        self.version = version


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStatus:
    """The status of a node."""

    version: str
    instance: str
    """Random id of this run of its server; empty if it does not send one."""
    readiness: str
    runtime: RuntimeStatus
    devices: Mapping[str, DeviceMemory]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    model_name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Status:
    version: str
    residents: tuple[ResidentStatus, ...]
    waiting: tuple[WaitingStatus, ...] = ()
    failed: tuple[_Failed, ...] = ()
    last_swap: SwapStatus | None = None
    swaps: tuple[SwapCount, ...] = ()
    loads: tuple[LoadCount, ...] = ()
    limits: dict[str, int] = field(default_factory=dict)
    hint: str | None = None
    devices: dict[str, DeviceMemory] = field(default_factory=dict)
    remotes: tuple[RemoteStatus, ...] = ()
    instance: str = ""
    readiness: str = READY
    kept: KeptTotals | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    id: int
    name: str
    aliases: tuple[str, ...] = ()
    description: str = ""
    architecture: str | None = None
    parameter_count: _Count | None = None
    quantization: str | None = None
    size_bytes: _Count | None = None
    trained_context: _Count | None = None
    context: _Count | None = None
    idle_ttl_s: float | None = None
    kind: str | None = None
    is_pinned: bool = False
    priority: str | None = None
    keep_conversations: bool | None = None
    capabilities: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    hashes: tuple[str | None, ...] = ()
    source: ModelSource = field(default_factory=ModelSource)
    is_downloaded: bool = False
    chat_template_sha256: str | None = None
    added_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Models:
    models: tuple[_Model, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    total_bytes: _Count


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    model_id: int
    need: _Need | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fits:
    fits: tuple[_Fit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stopped:
    stopped: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Error:
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Download:
    id: str
    state: DownloadState
    done_bytes: _Count = 0
    total_bytes: _Count | None = None
    bytes_per_s: _Count | None = None
    error: _Error | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Withdrawn:
    withdrawn: bool


_STATUS = msgspec.json.Decoder(_Status)
_MODELS = msgspec.json.Decoder(_Models)
_FITS = msgspec.json.Decoder(_Fits)
_STOPPED = msgspec.json.Decoder(_Stopped)
_DOWNLOAD = msgspec.json.Decoder(_Download)
_WITHDRAWN = msgspec.json.Decoder(_Withdrawn)


def read_status(body: bytes) -> PeerStatus:
    """Return the status in a response of ``GET /gglib/status``. Raises ``UnreadableError``."""
    status = _decoded(_STATUS, body)
    if not is_plausible(status):
        raise UnreadableError(status.version)
    return PeerStatus(
        version=status.version,
        instance=status.instance,
        readiness=status.readiness,
        runtime=RuntimeStatus(
            residents=status.residents,
            remotes=status.remotes,
            waiting=status.waiting,
            failed=tuple((failed.model_name, failed.reason) for failed in status.failed),
            last_swap=status.last_swap,
            swaps=status.swaps,
            loads=status.loads,
            limits=status.limits,
            hint=status.hint,
            kept=status.kept,
        ),
        devices=status.devices,
    )


def read_models(body: bytes) -> dict[int, NodeModel]:
    """Return the models in a response of ``GET /gglib/models`` by id, in its order, without their memory.

    Names that no gglib accepts are left out, and so is the time of the last use, which changes all the time.

    Raises ``UnreadableError``.
    """
    models = _decoded(_MODELS, body).models[:MAX_MODELS]
    return {model.id: _node_model(model) for model in models if is_name(model.name)}


def read_needs(body: bytes) -> dict[int, int]:
    """Return the memory of each model in a response of ``GET /gglib/fits``, in bytes by id.

    Raises ``UnreadableError``.
    """
    fits = _decoded(_FITS, body).fits[:MAX_MODELS]
    return {fit.model_id: fit.need.total_bytes for fit in fits if fit.need is not None}


def read_was_stopped(body: bytes) -> bool:
    """Return whether the response of ``POST /gglib/models/{name}/unload`` names a model.

    Raises ``UnreadableError``.
    """
    return bool(_decoded(_STOPPED, body).stopped)


def read_download(body: bytes) -> tuple[str, NodeDownload]:
    """Return the id and the state of a download in a response of ``/gglib/downloads/{id}``.

    Raises ``UnreadableError``.
    """
    found = _decoded(_DOWNLOAD, body)
    return found.id, NodeDownload(
        state=found.state,
        done_bytes=found.done_bytes,
        total_bytes=found.total_bytes,
        bytes_per_s=found.bytes_per_s,
        error=None if found.error is None else escape_line(found.error.message)[:MAX_MESSAGE_CHARS],
    )


def read_was_withdrawn(body: bytes) -> bool:
    """Return whether the response of ``POST /gglib/requests/{id}/withdraw`` says so. Raises ``UnreadableError``."""
    return _decoded(_WITHDRAWN, body).withdrawn


def read_error(body: bytes) -> str | None:
    """Return the message of an error response; None if it has none."""
    return _error_text(body, "message")


def read_error_code(body: bytes) -> str | None:
    """Return the code of an error response; None if it has none."""
    return _error_text(body, "code")


def need_by_device(total_bytes: int, devices: Mapping[str, DeviceMemory]) -> DeviceBytes:
    """Return how a model spreads over the devices of a machine: GPUs in proportion to their memory, the rest to RAM.

    An estimate: how an engine splits a model is known only to the machine that launches it.
    """
    gpus = {name: memory.total_bytes or 0 for name, memory in devices.items() if name != RAM}
    gpu_total = sum(gpus.values())
    if gpu_total <= 0:
        return {RAM: total_bytes}
    on_gpus = min(total_bytes, gpu_total)
    shares = {name: on_gpus * size // gpu_total for name, size in gpus.items() if size > 0}
    rest = total_bytes - on_gpus
    return shares | {RAM: rest} if rest else shares


def _decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except (ValueError, RecursionError):  # msgspec's errors, and texts that are not UTF-8, are ValueErrors
        raise UnreadableError(_version_of(body)) from None


def _error_text(body: bytes, field: str) -> str | None:
    try:
        value = json.loads(body)["error"][field]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return value if isinstance(value, str) else None


def _version_of(body: bytes) -> str | None:
    """Return the version in a status that cannot be read as a whole; None for what is no status."""
    try:
        status: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(status, dict) or "residents" not in status:
        return None
    version = status.get("version")
    return version if isinstance(version, str) else None


def _node_model(model: _Model) -> NodeModel:
    summary = ModelSummary(
        id=model.id,
        name=model.name,
        aliases=tuple(filter(is_name, model.aliases)),
        description=model.description,
        architecture=model.architecture,
        quantization=model.quantization,
        parameter_count=model.parameter_count,
        size_bytes=model.size_bytes,
        trained_context=model.trained_context,
        capabilities=_capabilities(model.capabilities),
        tags=model.tags,
        settings=ModelSettings(
            context=model.context,
            idle_ttl_s=model.idle_ttl_s,
            kind=_kind(model.kind),
            is_pinned=model.is_pinned,
            priority=_priority(model.priority),
            keep_conversations=model.keep_conversations,
        ),
        source=model.source,
        is_downloaded=model.is_downloaded,
        chat_template_sha256=model.chat_template_sha256,
        added_at=model.added_at,
    )
    sha256 = model.hashes[0] if model.hashes else None
    return NodeModel(
        summary=summary,
        content=ModelContent(sha256=sha256 or model.source.sha256, size_bytes=model.size_bytes),
    )


def _capabilities(names: tuple[str, ...]) -> ModelCapabilities:
    known = [name for name in names if name in ModelCapabilities.__slots__]
    return ModelCapabilities(**dict.fromkeys(known, True))


def _kind(kind: str | None) -> ModelKind | None:
    return cast("ModelKind", kind) if kind in get_args(ModelKind) else None


def _priority(name: str | None) -> Priority | None:
    return next((priority for priority in Priority if priority.name.lower() == name), None)
