"""The settings and their defaults.

A setting is defined once, as a field of ``Settings``; ``SETTINGS`` is derived from the fields. Adapters never import
this module: they receive plain values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType

from gglib.app.certificates.facts import CertificateFiles
from gglib.app.settings.access_keys import parse_keys
from gglib.app.settings.alias_lists import parse_aliases
from gglib.app.settings.model_nodes import parse_model_nodes
from gglib.app.settings.node_tables import NodeSetting, parse_nodes
from gglib.app.settings.parsers import (
    MAX_MODELS,
    parse_boolean,
    parse_choice,
    parse_cluster_address,
    parse_context,
    parse_download_url,
    parse_engine,
    parse_field_name,
    parse_home_path,
    parse_integer,
    parse_list,
    parse_max_models,
    parse_memory,
    parse_origin,
    parse_second_port,
    parse_seconds,
    parse_size_limit,
    parse_text,
)
from gglib.app.settings.recorded_bodies import parse_record_bodies
from gglib.app.settings.spec import SPEC, SettingSpec, setting
from gglib.core.api_keys import ApiKey
from gglib.core.authorities import read_host
from gglib.core.defaults import (
    CHUNK_GAP_S,
    DRAIN_S,
    FIRST_BYTE_S,
    HEARTBEAT_S,
    MAX_CONNECTIONS,
    MODEL_WAIT_S,
    STALLED_CLIENT_S,
    SWAP_WAIT_S,
)
from gglib.core.errors import InvalidSettingError
from gglib.core.log_lines import LOG_FORMATS, LOG_LEVELS, TEXT
from gglib.core.memory import DeviceBytes
from gglib.core.runtime.slots import DEFAULT_SLOTS
from gglib.core.sizes import parse_size
from gglib.system.files.file_state import FileState

CONFIG_NAME = "config.toml"
CONTEXT_EXPECTED = "a number of tokens above 0, or 'max'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings with their defaults. Times in seconds, contexts in tokens.

    ``load_settings`` validates values from outside; the constructor does not. ``docs/settings.md`` documents each.
    """

    home: Path
    """The directory of the catalogue, the downloaded models, the logs and the lock."""
    host: str = setting(
        "127.0.0.1", parse_text, "a host name or address", "Address to listen on.", is_live=False
    )
    port: int = setting(
        8080,
        parse_integer(0, 65535),
        "a whole number from 0 to 65535",
        "Port to listen on; 0 selects a free port.",
        is_live=False,
    )
    ollama_port: int | None = setting(
        None,
        parse_second_port,
        "a whole number from 0 to 65535, or 'off'",
        "Second port, for clients of Ollama: its own is 11434; 0 selects a free port.",
        is_live=False,
    )
    default_ctx: int = setting(
        8192,
        parse_context,
        CONTEXT_EXPECTED,
        "Default context size in tokens, used when neither the request nor the model sets one; 'max': as trained.",
        key="ctx",
    )
    engine: Path | None = setting(
        None,
        parse_engine,
        "the path of a llama-server, or 'embedded'",
        "Path of llama-server, `embedded` for the engine that ships with gglib, or `plugin:NAME`.",
        is_live=False,
    )
    engine_releases_url: str = setting(
        "https://api.github.com/repos/ggml-org/llama.cpp/releases",
        parse_download_url,
        "an https address of releases as GitHub's API has them",
        "Releases of llama.cpp for `gglib engine install`, as GitHub's API has them.",
    )
    slots: int = setting(
        DEFAULT_SLOTS,
        parse_integer(1, 64),
        "a whole number from 1 to 64",
        "Concurrent requests per model, each with the full context; fewer if memory is short.",
    )
    max_models: int | None = setting(
        1,
        parse_max_models,
        f"a whole number from 1 to {MAX_MODELS}, or 'auto'",
        "Maximum number of models in memory; 'auto': as many as fit.",
    )
    """None ('auto'): as many as fit into the memory budget."""
    memory: DeviceBytes = setting(
        MappingProxyType({}),
        parse_memory,
        "a size like 20G or 512M, or sizes by device: ram=20G,gpu0=8G as text, "
        '{ram = "20G", gpu0 = "8G"} in config.toml',
        "Memory budget of all models together, of the RAM or by device: ram=20G,gpu0=8G.",
    )
    """In bytes by device; devices without an entry have the default budget."""
    kv_keep: str = setting(
        "8G",
        parse_size_limit,
        "a size like 8G or 512M, or 0",
        "Disk space for conversations of models that leave the memory; 0: they are not kept.",
    )
    kv_keep_over_restart: bool = setting(
        False, parse_boolean, "true or false", "Keep these conversations when gglib stops, too."
    )
    preload: tuple[str, ...] = setting(
        (),
        parse_list(parse_text),
        "a list of names of models",
        "Models that are loaded at the start, in order.",
        is_live=False,
    )
    default_model: str | None = setting(
        None,
        parse_text,
        "the name of a model",
        "Model of requests that name none. Default: the only one, or the one in memory.",
    )
    aliases: Mapping[str, tuple[str, ...]] = setting(
        MappingProxyType({}),
        parse_aliases,
        "a table of names of models, or lists of names, by alias",
        "Further names of models, or patterns such as gpt-*; of a list, the first model that can run.",
    )
    max_body_mb: int = setting(
        64,
        parse_integer(1, 4096),
        "a whole number of MiB from 1 to 4096",
        "Maximum size of a request body in MiB.",
    )
    max_bodies_mb: int = setting(
        512,
        parse_integer(1, 1024 * 1024),
        "a whole number of MiB from 1 to 1048576",
        "Memory budget in MiB for all request bodies together.",
    )
    heartbeat_s: float = setting(
        HEARTBEAT_S,
        parse_seconds,
        "a number of seconds, 0 or more",
        "Seconds between SSE comments that keep a waiting stream open; 0 disables them.",
    )
    model_wait_s: float = setting(
        MODEL_WAIT_S,
        parse_seconds,
        "a number of seconds, 0 or more",
        "Maximum seconds that a request waits for its model.",
        key="max_wait_s",
    )
    swap_wait_s: float = setting(
        SWAP_WAIT_S,
        parse_seconds,
        "a number of seconds, 0 or more",
        "Seconds after which a queued request makes a busy model give way.",
    )
    drain_s: float = setting(
        DRAIN_S,
        parse_seconds,
        "a number of seconds, 0 or more",
        "Seconds that a stop waits for responses in flight.",
    )
    first_byte_s: float = setting(
        FIRST_BYTE_S,
        parse_seconds,
        "a number of seconds, 0 or more",
        "Timeout in seconds for the first byte of an engine's response; 0 disables it.",
    )
    chunk_gap_s: float = setting(
        CHUNK_GAP_S,
        parse_seconds,
        "a number of seconds, 0 or more",
        "Timeout in seconds between two chunks of an engine's response; 0 disables it.",
    )
    stalled_client_s: float = setting(
        STALLED_CLIENT_S,
        parse_seconds,
        "a number of seconds, 0 or more",
        "Seconds that a client may stop reading a response while another model waits; 0 allows 60 s.",
    )
    api_keys: Mapping[str, ApiKey] = setting(
        MappingProxyType({}),
        parse_keys,
        "a table of keys by name",
        "Access keys by name, with their rights; if there are none, no key is required.",
        env_key="api_key",
        is_secret=True,
    )
    """Access keys by name, with their rights. They appear in no repr, error or log."""
    insecure: bool = setting(
        False, parse_boolean, "true or false", "Serve other machines without an access key."
    )
    tls_cert: Path | None = setting(
        None,
        parse_home_path,
        "the path of a PEM file",
        "PEM file with the certificate for HTTPS and its chain; with `tls_key`, gglib serves HTTPS instead of HTTP.",
        is_live=False,
    )
    """Relative to the home; ``certificate_files`` has the paths."""
    tls_key: Path | None = setting(
        None,
        parse_home_path,
        "the path of a PEM file",
        "PEM file with the key of `tls_cert`, without a password.",
        is_live=False,
    )
    allowed_hosts: tuple[str, ...] = setting(
        (),
        parse_list(read_host),
        "a list of names or addresses without a port",
        "Host names accepted in requests, besides those of this machine.",
    )
    cors_origins: tuple[str, ...] = setting(
        (),
        parse_list(parse_origin),
        "a list of origins as https://chat.example.com, nothing after the host and port, or '*'",
        "Origins of web pages that may use this server, besides those of this machine.",
    )
    allowed_engine_fields: tuple[str, ...] = setting(
        (),
        parse_list(parse_field_name),
        "a list of names of fields",
        "Request fields that control the engine and are forwarded anyway.",
    )
    max_schema_cost: int = setting(
        2000,
        parse_integer(1, 1000000000),
        "a whole number from 1 to 1000000000",
        "Maximum cost of a request's schemas and tools at one place; an enum value costs 1.",
    )
    max_schema_kb: int = setting(
        1024,
        parse_integer(1, 1048576),
        "a whole number of KiB from 1 to 1048576",
        "Maximum size in KiB of a request's schema or list of tools.",
    )
    max_connections: int = setting(
        MAX_CONNECTIONS,
        parse_integer(1, 1000000),
        "a whole number from 1 to 1000000",
        "Maximum number of client connections.",
    )
    history: bool = setting(
        True, parse_boolean, "true or false", "Store finished requests, without prompts and answers."
    )
    history_days: int = setting(
        30,
        parse_integer(1, 3650),
        "a whole number of days from 1 to 3650",
        "Days after which stored requests are deleted; usage is kept.",
    )
    history_mb: int = setting(
        512,
        parse_integer(16, 1024 * 1024),
        "a whole number of MiB from 16 to 1048576",
        "Maximum size of the stored requests in MiB; the oldest are deleted first.",
    )
    record_bodies: bool | tuple[str, ...] = setting(
        False,
        parse_record_bodies,
        "true, false, or a list of patterns: key:alice, model:qwen*",
        "Requests whose bodies are recorded: true (all), false (none), or patterns such as key:alice, model:qwen*.",
    )
    """Patterns ``key:GLOB`` and ``model:GLOB``."""
    log_level: str = setting(
        "info",
        parse_choice(*LOG_LEVELS),
        "debug, info, warning or error",
        "Lowest level of records in the log: debug, info, warning or error.",
    )
    log_format: str = setting(
        TEXT,
        parse_choice(*LOG_FORMATS),
        "text or json",
        "Format of the log: text, or json (an object per line).",
        is_live=False,
    )
    nodes: Mapping[str, NodeSetting] = setting(
        MappingProxyType({}),
        parse_nodes,
        "a table of addresses of other gglibs by name, or of tables [nodes.NAME]",
        "Gglibs of other machines by name, each with its address.",
    )
    model_nodes: Mapping[str, tuple[str, ...]] = setting(
        MappingProxyType({}),
        parse_model_nodes,
        "a table of names of nodes, or lists of names or patterns, by model",
        "Nodes that may serve a model: names or patterns such as gpu*. Other models run on all nodes.",
    )
    pull_to_nodes: bool = setting(
        False,
        parse_boolean,
        "true or false",
        "Download a model to a node if a request needs it and no node that has it takes requests.",
    )
    cluster_address: str | None = setting(
        None,
        parse_cluster_address,
        "HOST:PORT, or 'off'",
        "Address of the head of a Ray cluster whose nodes are used, HOST:PORT. Default: off.",
    )
    cluster_token_file: Path = setting(
        Path("cluster/token"),
        parse_home_path,
        "the path of a file",
        "File with the token of the cluster, relative to the home.",
    )
    warnings: tuple[str, ...] = ()
    """Problems that do not prevent a start, one sentence each."""
    ignored: tuple[str, ...] = field(default=(), compare=False)
    """Why values of a source are not used, one sentence each; only if they were loaded with ``is_tolerant``."""
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    """What sets a field, by field: the source in use, then those that it overrides. The others have their defaults.

    A source is an option (``--port``), a variable (``GGLIB_PORT``) or ``CONFIG_NAME``.
    """
    config_state: FileState | None = field(default=None, compare=False)
    """The state of ``config.toml`` before it was read; None: it was missing."""

    @property
    def certificate_files(self) -> CertificateFiles | None:
        """The files of HTTPS; None: HTTP. Raises ``InvalidSettingError`` if only one of them is set."""
        if self.tls_cert is None and self.tls_key is None:
            return None
        if self.tls_cert is None or self.tls_key is None:
            given, missing = ("tls_cert", "tls_key") if self.tls_key is None else ("tls_key", "tls_cert")
            raise InvalidSettingError(
                f"{given} is set and {missing} is not: HTTPS needs both, such as 'gglib config set {missing} FILE'."
            )
        return CertificateFiles(certificate=self.home / self.tls_cert, key=self.home / self.tls_key)

    @property
    def explicit(self) -> frozenset[str]:
        """Fields that a source sets."""
        return frozenset(self.sources)

    @property
    def manages_memory(self) -> bool:
        """Whether the sizes of models decide which of them stay in memory: for 'auto', and with a ``memory`` budget."""
        return self.max_models is None or bool(self.memory)

    @property
    def capacity(self) -> int:
        """The maximum number of models in memory; with 'auto' it is too large to matter."""
        return MAX_MODELS if self.max_models is None else self.max_models

    @property
    def config_path(self) -> Path:
        """The file of settings; it may be missing."""
        return self.home / CONFIG_NAME

    @property
    def database(self) -> Path:
        """The file of the catalogue."""
        return self.home / "gglib.db"

    @property
    def history_database(self) -> Path:
        """The file of the request history."""
        return self.home / "history.db"

    @property
    def models_dir(self) -> Path:
        """The directory of downloaded files."""
        return self.home / "models"

    @property
    def log_dir(self) -> Path:
        """The directory of gglib's log and the engines' logs."""
        return self.home / "logs"

    @property
    def engines_dir(self) -> Path:
        """The directory of installed engines."""
        return self.home / "engines"

    @property
    def kv_keep_bytes(self) -> int:
        """``kv_keep`` in bytes; 0: nothing is kept."""
        return 0 if self.kv_keep == "0" else parse_size(self.kv_keep)

    @property
    def kept_dir(self) -> Path:
        """The directory of conversations whose models are not in memory."""
        return self.home / "kept"

    @property
    def run_dir(self) -> Path:
        """The directory of a running server's lock, sockets and keys."""
        return self.home / "run"


SETTINGS: tuple[SettingSpec, ...] = tuple(
    replace(spec, key=spec.key or member.name, field=member.name)
    for member in fields(Settings)
    if (spec := member.metadata.get(SPEC)) is not None
)
"""All settings, in the order of their documentation."""
