"""The values that cross the ports. All are frozen: whoever holds one may keep it."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self

ModelKind = Literal["chat", "embedding", "rerank"]
"""What a model is served as."""

Pooling = Literal["mean", "cls", "last", "rank"]
"""How a model reduces a text to one vector, or to one score (``rank``), in llama.cpp's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCapabilities:
    """What a model can be asked for: read from its header and its chat template, or set by the user."""

    chat: bool = False
    tools: bool = False
    reasoning: bool = False
    vision: bool = False
    embedding: bool = False
    rerank: bool = False

    def names(self) -> tuple[str, ...]:
        """Return the names of what the model can do, in the order of the fields."""
        return tuple(name for name in self.__slots__ if getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """Where a model's file came from; everything is None for a file that the user had already."""

    origin: str | None = None
    """What brought it: ``hub``, ``url``, ``starter``, or the program whose file it is, as ``ollama``."""
    repo: str | None = None
    revision: str | None = None
    """The commit."""
    asked_revision: str | None = None
    """The branch, tag or commit that was asked for by name; None: the newest."""
    url: str | None = None
    """The whole address, for ``url``; it may have a signature in it, so it is shown without its query."""
    file: str | None = None
    """The first file's name there."""
    sha256: str | None = None
    """Of the first file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """What the user set for one model; None and empty mean that the defaults hold."""

    context: int | None = None
    engine_args: tuple[str, ...] = ()
    idle_ttl_s: float | None = None
    kind: ModelKind | None = None
    """What the model is served as, whatever its header says; None: as its header says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFacts:
    """What a header says of a model's layers, beyond the counts: it decides how large the cache is.

    None and empty where it does not tell. Lists have an entry for each layer, and are there where layers differ.
    """

    head_counts_kv: tuple[int, ...] = ()
    feed_forward_length: int | None = None
    """Of a list, the largest."""
    feed_forward_lengths: tuple[int, ...] = ()
    window: int | None = None
    """How many tokens back a layer with a sliding window sees; 0 says that none has one."""
    window_period: int | None = None
    """One layer in so many sees everything."""
    window_layers: tuple[bool, ...] = ()
    window_key_length: int | None = None
    window_value_length: int | None = None
    latent_key_length: int | None = None
    """Set where the cache holds one compressed vector for keys and values (multi-head latent attention)."""
    indexer_key_length: int | None = None
    shared_cache_layers: int | None = None
    """So many of the last layers use the cache of earlier ones."""
    predict_layers: int | None = None
    """So many of the last layers only draft tokens; the engine as it is launched does not run them."""
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
    """What a GGUF header says of its model. Counts are None where the header does not tell."""

    architecture: str
    name: str | None = None
    kind: str | None = None
    """``general.type`` in the header: ``model``, ``adapter``, ``mmproj``, ``imatrix`` …; older files do not tell."""
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
    """How many pairs of tokens the vocabulary joins."""
    layers: LayerFacts = field(default_factory=LayerFacts)
    type_bytes: tuple[tuple[str, int], ...] = ()
    """Size of the weights of each type: ``("Q4_K", 3_000_000)``; empty where the tensors are not known."""
    embedding_type: str | None = None
    embedding_bytes: int | None = None
    """The tensor that turns tokens into vectors."""
    has_output: bool = False
    """Whether another tensor turns vectors into tokens; else that one does both."""
    chat_template: str | None = None
    capabilities: ModelCapabilities = field(default_factory=ModelCapabilities)
    pooling: Pooling | None = None
    """Of a model for embeddings or reranking; the header's, or ``mean`` where an encoder's header names none."""
    split_index: int | None = None
    """Zero-based number of this shard; None for a model in one file."""
    split_count: int | None = None

    def with_vision(self) -> Self:
        """Return the facts of the model together with its projector: it can see."""
        return replace(self, capabilities=replace(self.capabilities, vision=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """A model as the catalogue lists it. Only ``id`` and ``name`` are needed to embed the proxy."""

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
    """What holds: what the header says, unless ``settings.kind`` says otherwise."""
    detected: ModelCapabilities | None = None
    """What the header says, where ``settings.kind`` is set; else None, and ``capabilities`` is that."""
    pooling: Pooling | None = None
    """The header's (see ``GgufFacts.pooling``); None where it is not known."""
    tags: tuple[str, ...] = ()
    settings: ModelSettings = field(default_factory=ModelSettings)
    source: ModelSource = field(default_factory=ModelSource)
    paths: tuple[Path, ...] = ()
    """Every file of the model, in shard order. Never shown to a client of the proxy."""
    hashes: tuple[str | None, ...] = ()
    """The SHA-256 of each of ``paths``, as its source named it; empty where nobody did."""
    projector: Path | None = None
    """The file that turns images into embeddings (mmproj), for a model that can see."""
    projector_sha256: str | None = None
    version_id: int | None = None
    """Of the version (``core.versions``) whose files it has; None where the files are the user's."""
    is_downloaded: bool = False
    """Whether gglib wrote the files: they have a version, or an older gglib said so and they have none yet."""
    chat_template_sha256: str | None = None
    added_at: int = 0
    """Unix time in seconds."""
    last_used_at: int | None = None
    """Unix time in seconds of the last request for it, to the minute; None before the first."""

    @property
    def all_files(self) -> tuple[Path, ...]:
        """The model's files, and the projector after them."""
        return self.paths if self.projector is None else (*self.paths, self.projector)


def is_same_content(first: ModelSummary, second: ModelSummary) -> bool:
    """Whether two states of a model have the same files with the same hashes, of the same source and version."""
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
    """A model to be put into the catalogue, which gives it its id and its date."""

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
    """Whether gglib wrote the files, where no version is entered with them; a version says so by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEdit:
    """What to change of what the user gave a model; None leaves it as it is."""

    aliases: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    settings: ModelSettings | None = None


@dataclass(frozen=True, slots=True)
class FileMark:
    """What distinguishes one state of a file from another without reading it.

    Any change of its content changes a mark, and so does one of its rights, which may be why it could not be read.
    """

    size_bytes: int
    modified_ns: int
    changed_ns: int
    """When content, rights or name changed (``st_ctime``); programs can set the time before, but not this one."""
    inode: int
    device: int

    def is_same_file(self, later: "FileMark") -> bool:
        """Whether it is the very file, written to or not, and not another one of its name."""
        return (self.inode, self.device) == (later.inode, later.device)

    def is_same_content(self, later: "FileMark") -> bool:
        """Whether neither the file nor what is in it has changed."""
        before, after = (self.size_bytes, self.modified_ns), (later.size_bytes, later.modified_ns)
        return self.is_same_file(later) and before == after


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLaunchSpec:
    """All that an engine needs to know to load a model."""

    model_id: int
    model_name: str
    path: Path
    """The file, or the first shard: the engine finds the others beside it."""
    size_bytes: int = 0
    """All shards together; the start timeout grows with it."""
    trained_context: int | None = None
    """The most that the model may be launched with, in tokens (see ``core.kinds.context_ceiling``)."""
    capabilities: ModelCapabilities = field(default_factory=ModelCapabilities)
    """What holds, not only what the header says: the engine is launched for it."""
    pooling: Pooling | None = None
    """Of an embedding or rerank launch; None: the engine decides by the header."""
    settings: ModelSettings = field(default_factory=ModelSettings)
    projector: Path | None = None
    """Given to the engine beside the model where there is one."""
    paths: tuple[Path, ...] = ()
    """Every shard in order; empty where only ``path`` is known."""
    marks: tuple[FileMark, ...] = ()
    """The state of each of ``files`` before the launch; empty while it is not known."""
    hold_path: Path | None = None
    """What to hold a shared lock on (``flock``) from before the files are opened until the engine has ended, so that no
    gglib deletes them; None for files that gglib did not write."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that the engine will read: the shards, and the projector after them."""
        shards = self.paths or (self.path,)
        return shards if self.projector is None else (*shards, self.projector)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningTarget:
    """Where a running model is reached, on loopback, over a unix socket or on another machine."""

    base_url: str
    """Scheme and authority, without a trailing slash: ``http://127.0.0.1:49152``."""
    model_id: int
    model_name: str
    effective_ctx: int
    """The context of each request, in tokens; clients get it as ``x-gglib-context``."""
    unix_socket: str | None = None
    """When set, connections go to this path and ``base_url`` only fills the Host header."""
    bearer_key: str | None = field(default=None, repr=False)
    """Sent as ``Authorization: Bearer``; clients' own keys never reach the target. None: no such header."""

    @classmethod
    def local(cls, port: int, model_id: int, model_name: str, effective_ctx: int) -> Self:
        """Return the target of a server on this machine's loopback interface, without a key.

        ``port`` is its TCP port; ``model_id`` and ``model_name`` are the catalogue's; ``effective_ctx`` is the context
        in tokens that each request has there.
        """
        return cls(
            base_url=f"http://127.0.0.1:{port}",
            model_id=model_id,
            model_name=model_name,
            effective_ctx=effective_ctx,
        )
