"""The values that cross the ports. All are frozen, so they can be shared and kept."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self

from gglib.core.backends import Backend
from gglib.core.priority import Priority

ModelKind = Literal["chat", "embedding", "rerank"]
"""The use that a model is served for."""

Pooling = Literal["mean", "cls", "last", "rank"]
"""How a model reduces a text to one vector, or to one score (``rank``), in llama.cpp's terms."""


NO_FILE = Path()
"""The path of a launch that reads no file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCapabilities:
    """The capabilities of a model: from its header and its chat template, or set by the user."""

    chat: bool = False
    tools: bool = False
    reasoning: bool = False
    vision: bool = False
    embedding: bool = False
    rerank: bool = False

    def names(self) -> tuple[str, ...]:
        """Return the names of the capabilities, in the order of the fields."""
        return tuple(name for name in self.__slots__ if getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """The source of a model's files; all fields are None for a local file."""

    origin: str | None = None
    """``hub``, ``url``, ``starter``, or the program that owns the file, such as ``ollama``."""
    repo: str | None = None
    revision: str | None = None
    """The commit hash."""
    asked_revision: str | None = None
    """The requested branch, tag or commit; None: the default branch."""
    url: str | None = None
    """The full URL, for ``url``. Its query may contain a signature, so it is shown without the query."""
    file: str | None = None
    """The first file's name at the source."""
    sha256: str | None = None
    """Hash of the first file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """The user's settings of one model; None and empty: the default applies."""

    context: int | None = None
    engine_args: tuple[str, ...] = ()
    idle_ttl_s: float | None = None
    kind: ModelKind | None = None
    """The use that the model is served for, regardless of its header; None: as in its header."""
    is_pinned: bool = False
    """Whether it stays in memory once it is loaded: not evicted for other models, nor unloaded after ``idle_ttl_s``."""
    priority: Priority | None = None
    """The priority of requests for the model; None: the default applies."""
    keep_conversations: bool | None = None
    """Whether the prompts in its slots are saved at its stop and restored at its next start (``docs/slots.md``); None:
    where that delays no swap by more than a few percent. Read at its stop."""
    environment: tuple[tuple[str, str], ...] = ()
    """Environment variables of its engine, by name. Never set over HTTP."""
    extra_args: tuple[str, ...] = ()
    """Arguments that a llama-server gets unchecked, after all others. Never set over HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFacts:
    """The layers of a model, from its header: they determine the size of the cache.

    None and empty if the header lacks the value. Lists have an entry per layer, and are set if the layers differ.
    """

    head_counts_kv: tuple[int, ...] = ()
    feed_forward_length: int | None = None
    """The largest, if the header has a list."""
    feed_forward_lengths: tuple[int, ...] = ()
    window: int | None = None
    """Size of the sliding window in tokens; 0: no layer has one."""
    window_period: int | None = None
    """One layer in this number has full attention."""
    window_layers: tuple[bool, ...] = ()
    window_key_length: int | None = None
    window_value_length: int | None = None
    latent_key_length: int | None = None
    """Set if the cache holds one compressed vector for keys and values (multi-head latent attention)."""
    indexer_key_length: int | None = None
    shared_cache_layers: int | None = None
    """Number of last layers that share the cache of earlier layers."""
    predict_layers: int | None = None
    """Number of last layers that only draft tokens; the engine does not run them as launched here."""
    recurrent_layers: tuple[bool, ...] = ()
    full_attention_interval: int | None = None
    state_size: int | None = None
    state_inner_size: int | None = None
    state_group_count: int | None = None
    state_convolution: int | None = None
    short_convolution: int | None = None
    delta_head_length: int | None = None
    wkv_head_length: int | None = None
    token_shifts: int | None = None
    experts_used: int | None = None
    expert_feed_forward_length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufFacts:
    """The facts in a GGUF header. Counts are None if the header lacks them."""

    architecture: str
    name: str | None = None
    kind: str | None = None
    """``general.type`` in the header: ``model``, ``adapter``, ``mmproj``, ``imatrix`` …; older files lack it."""
    parameter_count: int | None = None
    quantization: str | None = None
    trained_context: int | None = None
    block_count: int | None = None
    embedding_length: int | None = None
    head_count: int | None = None
    head_count_kv: int | None = None
    key_length: int | None = None
    value_length: int | None = None
    vocabulary_size: int | None = None
    merge_count: int | None = None
    """Number of merges (token pairs) of the vocabulary."""
    layers: LayerFacts = field(default_factory=LayerFacts)
    type_bytes: tuple[tuple[str, int], ...] = ()
    """Size of the weights by type: ``("Q4_K", 3_000_000)``; empty if the tensors are unknown."""
    embedding_type: str | None = None
    embedding_bytes: int | None = None
    """Size of the token embedding tensor."""
    has_output: bool = False
    """Whether the model has a separate output tensor; else the token embedding serves as output, too (tied weights)."""
    chat_template: str | None = None
    capabilities: ModelCapabilities = field(default_factory=ModelCapabilities)
    pooling: Pooling | None = None
    """Pooling of an embedding or rerank model: from the header, or ``mean`` if an encoder's header has none."""
    split_index: int | None = None
    """Zero-based index of this shard; None for a single-file model."""
    split_count: int | None = None

    def with_vision(self) -> Self:
        """Return the facts of the model with its projector: ``vision`` is set."""
        return replace(self, capabilities=replace(self.capabilities, vision=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """A model of the catalogue. A program that embeds the proxy needs to set only ``id`` and ``name``."""

    id: int
    name: str
    aliases: tuple[str, ...] = ()
    description: str = ""
    architecture: str | None = None
    quantization: str | None = None
    parameter_count: int | None = None
    size_bytes: int | None = None
    trained_context: int | None = None
    capabilities: ModelCapabilities = field(default_factory=ModelCapabilities)
    """The effective capabilities: from the header, unless ``settings.kind`` overrides it."""
    detected: ModelCapabilities | None = None
    """The header's capabilities if ``settings.kind`` is set; else None, and ``capabilities`` are the header's."""
    pooling: Pooling | None = None
    """From the header (see ``GgufFacts.pooling``); None if unknown."""
    tags: tuple[str, ...] = ()
    settings: ModelSettings = field(default_factory=ModelSettings)
    source: ModelSource = field(default_factory=ModelSource)
    backend: Backend | None = None
    """What serves the model; None: llama.cpp, from its files."""
    paths: tuple[Path, ...] = ()
    """All files of the model, in shard order; a model with a backend may have none. Never sent to clients of the
    proxy."""
    hashes: tuple[str | None, ...] = ()
    """The expected SHA-256 of each of ``paths``, from its source; empty if none is known."""
    projector: Path | None = None
    """The file that turns images into embeddings (mmproj), for a vision model."""
    projector_sha256: str | None = None
    version_id: int | None = None
    """Id of the version (``core.versions``) that its files belong to; None if they are the user's files."""
    is_downloaded: bool = False
    """Whether gglib wrote the files: they have a version, or only the record of an older gglib."""
    chat_template_sha256: str | None = None
    added_at: int = 0
    """Unix time in seconds."""
    last_used_at: int | None = None
    """Unix time in seconds of the model's last request, to the minute; None before the first."""

    @property
    def all_files(self) -> tuple[Path, ...]:
        """The model's files, then the projector."""
        return self.paths if self.projector is None else (*self.paths, self.projector)


def is_same_content(first: ModelSummary, second: ModelSummary) -> bool:
    """Whether two states of a model have the same files, hashes, source and version."""
    return _content(first) == _content(second)


def _content(model: ModelSummary) -> tuple[object, ...]:
    return (
        model.id,
        model.all_files,
        model.size_bytes,
        model.hashes,
        model.projector_sha256,
        model.source,
        model.version_id,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewModel:
    """A model to add to the catalogue, which assigns its id and date."""

    name: str
    paths: tuple[Path, ...]
    size_bytes: int
    aliases: tuple[str, ...] = ()
    description: str = ""
    facts: GgufFacts
    tags: tuple[str, ...] = ()
    settings: ModelSettings = field(default_factory=ModelSettings)
    source: ModelSource = field(default_factory=ModelSource)
    hashes: tuple[str | None, ...] = ()
    projector: Path | None = None
    projector_sha256: str | None = None
    is_downloaded: bool = False
    """Whether gglib wrote the files, if no version is recorded with them; a version implies it."""
    backend: Backend | None = None
    """What serves the model; None: llama.cpp, from its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEdit:
    """A change of a model's user data; None: unchanged."""

    name: str | None = None
    """The new name. If it is an alias of the model, it is no alias any more; the old name is not kept as one."""
    aliases: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    settings: ModelSettings | None = None
    backend: Backend | None = None
    """Replaces the backend of a model that has one."""


@dataclass(frozen=True, slots=True)
class FileMark:
    """Distinguishes states of a file without reading it.

    A change of the content changes the mark, and so does a change of the permissions, which may be why a read failed.
    """

    size_bytes: int
    modified_ns: int
    changed_ns: int
    """Time of the last change of content, permissions or name (``st_ctime``). Programs cannot set it."""
    inode: int
    device: int

    def is_same_file(self, later: "FileMark") -> bool:
        """Whether it is the same inode, possibly modified, and not another file with the same name."""
        return (self.inode, self.device) == (later.inode, later.device)

    def is_same_content(self, later: "FileMark") -> bool:
        """Whether it is the same file with unchanged content."""
        before, after = (self.size_bytes, self.modified_ns), (later.size_bytes, later.modified_ns)
        return self.is_same_file(later) and before == after


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLaunchSpec:
    """What an engine needs to load a model."""

    model_id: int
    model_name: str
    path: Path
    """The file, or the first shard: the engine finds the others in the same directory. ``NO_FILE`` for a model with a
    backend and without files."""
    backend: Backend | None = None
    """What serves the model; None: llama.cpp, from its files."""
    size_bytes: int = 0
    """Sum over all shards; the start timeout depends on it."""
    trained_context: int | None = None
    """Upper limit of the launch context, in tokens (see ``core.kinds.max_context``)."""
    architecture: str | None = None
    """As in the header; None if unknown."""
    capabilities: ModelCapabilities = field(default_factory=ModelCapabilities)
    """The effective capabilities (see ``ModelSummary``): the engine is launched for them."""
    pooling: Pooling | None = None
    """Pooling of an embedding or rerank launch; None: the engine uses the header's."""
    settings: ModelSettings = field(default_factory=ModelSettings)
    projector: Path | None = None
    """Passed to the engine with the model."""
    paths: tuple[Path, ...] = ()
    """All shards in order; empty if only ``path`` is known."""
    marks: tuple[FileMark, ...] = ()
    """The state of each of ``files`` before the launch; empty if unknown."""
    hold_path: Path | None = None
    """Path to lock (shared ``flock``) before the files are opened and until the engine has exited, so that no gglib
    deletes them; None for files that gglib did not write."""
    keep_alive_s: float | None = field(default=None, compare=False)
    """How long the model stays in memory after the request that this spec is for, in seconds: 0 until no request uses
    it or waits for it, ``math.inf`` for ever; None: as in ``settings``. Not part of the launch."""

    @property
    def idle_ttl_s(self) -> float | None:
        """The time without requests after which the model is unloaded; None: never."""
        if self.keep_alive_s is None:
            return self.settings.idle_ttl_s
        return None if self.keep_alive_s == math.inf else self.keep_alive_s

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that the engine reads: the shards, then the projector."""
        shards = self.paths or (() if self.path == NO_FILE else (self.path,))
        return shards if self.projector is None else (*shards, self.projector)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningTarget:
    """The address of a running model: on loopback, over a unix socket, or on another machine."""

    base_url: str
    """Scheme and authority, without a trailing slash: ``http://127.0.0.1:49152``."""
    model_id: int
    model_name: str
    effective_ctx: int
    """The context of each request, in tokens; clients get it as ``x-gglib-context``."""
    unix_socket: str | None = None
    """If set, connections use this path, and ``base_url`` is only used for the Host header."""
    bearer_key: str | None = field(default=None, repr=False)
    """Sent as ``Authorization: Bearer``; clients' own keys never reach the target. None: no such header."""
    path_prefix: str = "/v1"
    """The path that stands for ``/v1`` at this server, without a slash at its end: ``/openai/v1`` makes
    ``/v1/chat/completions`` ``/openai/v1/chat/completions``."""
    served_name: str | None = None
    """The model's name at this server, for ``model`` in the bodies sent there; None: bodies are sent as they are."""
    is_remote: bool = False
    """Whether it is a server that gglib did not launch (``UrlBackend``)."""
    node: str | None = None
    """The node, if it is another gglib (``core.nodes``): it gets the request as a client would send it."""
    ca_file: str | None = None
    """Of an https server: the file of the certificates that are trusted; None: those of the system."""
    slots: int | None = None
    """How many slots gglib may choose by ``id_slot``, from 0 on; None: it may not."""
    kept_slots: tuple[int, ...] = ()
    """The slots whose prompts were restored at the start; they have the numbers that they had when they were saved."""

    @classmethod
    def local(cls, port: int, model_id: int, model_name: str, effective_ctx: int) -> Self:
        """Return the target of a server on this machine's loopback interface, without a key.

        ``port`` is its TCP port; ``model_id`` and ``model_name`` are the catalogue's; ``effective_ctx`` is the context
        of each request, in tokens.
        """
        return cls(
            base_url=f"http://127.0.0.1:{port}",
            model_id=model_id,
            model_name=model_name,
            effective_ctx=effective_ctx,
        )
