"""The settings, their sources and the precedence of the sources.

Defaults < ``config.toml`` in the home < ``GGLIB_*`` in the environment < the command line: later sources override
earlier ones. A setting is defined once, as a field of ``Settings``; ``SETTINGS`` is derived from the fields. Adapters
never import this module: they receive plain values.
"""

import difflib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import platformdirs

from gglib.app.access_keys import KEY_FIELDS, parse_keys
from gglib.app.setting_parsers import (
    MAX_MODELS,
    parse_aliases,
    parse_boolean,
    parse_context,
    parse_engine,
    parse_field_name,
    parse_integer,
    parse_list,
    parse_max_models,
    parse_memory,
    parse_origin,
    parse_path,
    parse_seconds,
    parse_text,
)
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
from gglib.core.errors import CatalogError, InvalidSettingError
from gglib.core.memory import DeviceBytes
from gglib.core.runtime.slots import DEFAULT_SLOTS
from gglib.system.files.small_files import read_small

T = TypeVar("T")

HOME_VARIABLE = "GGLIB_HOME"
REMOTE_KEY_VARIABLE = "GGLIB_REMOTE_KEY"
"""The key that commands send to a remote server (``cli.remote.address``)."""
CONFIG_NAME = "config.toml"
OWNER_ONLY = 0o700
"""The home contains logs with traces of conversations, and the engines' sockets and keys: only for its owner."""
_KEYS = "api_keys"
_ALIASES = "aliases"
_READABLE_BY_OTHERS = 0o044
_SPEC = "setting"
CONTEXT_EXPECTED = "a number of tokens above 0, or 'max'"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingSpec:
    """The name, parser and description of a setting."""

    key: str = ""
    """Its name in ``config.toml``, if different from the field's; the variable and the option are derived from it."""
    field: str = ""
    parse: Callable[[object], object]
    expected: str
    """The expected value, for error messages; for a secret, the message of ``parse`` is used, without the value."""
    help: str
    env_key: str | None = None
    is_secret: bool = False
    is_live: bool = True
    """Whether a reload applies it to a running server; False: at the next start."""

    @property
    def env(self) -> str:
        """The environment variable."""
        return f"GGLIB_{(self.env_key or self.key).upper()}"

    @property
    def option(self) -> str:
        """The command-line option."""
        return "--" + self.key.replace("_", "-")


def setting(  # noqa: PLR0913 - a setting is defined in one place
    default: T,
    parse: Callable[[object], object],
    expected: str,
    help: str,  # noqa: A002 - as click has it
    *,
    key: str = "",
    env_key: str | None = None,
    is_secret: bool = False,
    is_live: bool = True,
) -> T:
    """Return a field of ``Settings`` that a user may set; see ``SettingSpec``."""
    spec = SettingSpec(
        key=key,
        parse=parse,
        expected=expected,
        help=help,
        env_key=env_key,
        is_secret=is_secret,
        is_live=is_live,
    )
    made: T = field(default_factory=lambda: default, repr=not is_secret, metadata={_SPEC: spec})
    return made


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
        "Path of llama-server, or `embedded` for the engine that ships with gglib.",
        is_live=False,
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
        "Further names of models; of a list, the first model that can run.",
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
    warnings: tuple[str, ...] = ()
    """Problems that do not prevent a start, one sentence each."""
    explicit: frozenset[str] = field(default=frozenset(), compare=False)
    """Fields that a source sets; the others have their defaults."""

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
    def models_dir(self) -> Path:
        """The directory of downloaded files."""
        return self.home / "models"

    @property
    def log_dir(self) -> Path:
        """The directory of gglib's log and the engines' logs."""
        return self.home / "logs"

    @property
    def run_dir(self) -> Path:
        """The directory of a running server's lock, sockets and keys."""
        return self.home / "run"


SETTINGS: tuple[SettingSpec, ...] = tuple(
    replace(spec, key=spec.key or member.name, field=member.name)
    for member in fields(Settings)
    if (spec := member.metadata.get(_SPEC)) is not None
)
"""All settings, in the order of their documentation."""


def load_settings(overrides: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """Return the effective settings: ``overrides``, over ``environ``, over ``config.toml``, over the defaults.

    ``overrides`` has the keys of ``config.toml``, and ``home`` (``{"port": 0, "ctx": 4096}``); None: not set.
    ``environ`` is ``os.environ`` or a similar mapping, whose ``GGLIB_*`` variables are read. If neither sets a home, it
    is the platform's data directory. Reads ``config.toml`` and creates nothing.

    Raises ``InvalidSettingError``, whose message names the source, for an invalid value or an unknown key; an unknown
    variable is a warning in ``Settings.warnings``.
    """
    home = _find_home(overrides, environ)
    config_path = home / CONFIG_NAME
    config, warnings = _read_config(config_path)
    values: dict[str, Any] = {}
    for spec in SETTINGS:
        for source, raw in (
            (spec.option, overrides.get(spec.key)),
            (spec.env, environ.get(spec.env) or None),
            (str(config_path), config.get(spec.key)),
        ):
            if raw is not None:
                values[spec.field] = _parse(spec, raw, source)
                break
    return Settings(
        home=home,
        warnings=(*warnings, *_unknown_variables(environ)),
        explicit=frozenset(values),
        **values,
    )


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return a warning for each unknown ``GGLIB_*`` variable: an access key in a misspelt variable protects nothing."""
    known = [HOME_VARIABLE, REMOTE_KEY_VARIABLE, *(spec.env for spec in SETTINGS)]
    unknown = sorted(name for name in environ if name.startswith("GGLIB_") and name not in known)
    return [f"Unknown environment variable {name}{_suggestion(name, known)}" for name in unknown]


def prepare_home(settings: Settings) -> None:
    """Create the home and its directories with access for the owner only. Raises ``CatalogError``."""
    try:
        settings.home.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        for directory in (settings.models_dir, settings.log_dir, settings.run_dir):
            directory.mkdir(mode=OWNER_ONLY, exist_ok=True)
    except OSError as error:
        if settings.home.is_symlink() and not settings.home.exists():
            raise CatalogError(
                f"The home {settings.home} is a symlink to {settings.home.readlink()}, which does not exist: "
                "mount or create it, or use another --home."
            ) from error
        raise CatalogError(
            f"The home {settings.home} cannot be used ({error.strerror}): use another --home."
        ) from error


def _find_home(overrides: Mapping[str, object], environ: Mapping[str, str]) -> Path:
    given = overrides.get("home") or environ.get(HOME_VARIABLE)
    return parse_path(given) if given else platformdirs.user_data_path("gglib", appauthor=False)


def _read_config(path: Path) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return the settings of the file, and warnings about the file."""
    try:
        content = read_small(path, follows_links=True)
        is_readable_by_others = bool(path.stat().st_mode & _READABLE_BY_OTHERS)
    except FileNotFoundError:
        return {}, ()
    except OSError as error:
        raise InvalidSettingError(
            f"{path} cannot be read ({error.strerror or error}): make it a regular file that this user can read."
        ) from error
    config = _parse_config(path, content)
    _refuse_unknown(path, config)
    if is_readable_by_others and config.get(_KEYS):
        return config, (
            f"{path} contains access keys and is readable by other users: run 'chmod 600 {path}'.",
        )
    return config, ()


def _parse_config(path: Path, content: bytes) -> dict[str, object]:
    """Parse the settings; a byte order mark and ``CR LF`` are accepted, because some editors write them."""
    try:
        config: dict[str, object] = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidSettingError(f"{path} is not UTF-8: save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettingError(f"{path} is not valid TOML: {error}.") from error
    except RecursionError as error:
        raise InvalidSettingError(f"{path} cannot be parsed: it is nested too deeply.") from error
    return config


def _refuse_unknown(path: Path, config: dict[str, object]) -> None:
    known = [spec.key for spec in SETTINGS]
    for key in config:
        if key not in known:
            raise InvalidSettingError(f"{path} sets the unknown key '{key}'{_suggestion(key, known)}")
    for name, meaning in ((_KEYS, "an access key"), (_ALIASES, "an alias")):
        table = config.get(name)
        for key in table if isinstance(table, dict) else ():
            if key in known:
                raise InvalidSettingError(
                    f"{path} sets '{key}' inside [{name}], where it is {meaning}: move it above that line."
                )
    _refuse_settings_of_keys(path, config.get(_KEYS), known)


def _refuse_settings_of_keys(path: Path, table: object, known: list[str]) -> None:
    """Refuse settings after the header of the table of one key, to which TOML adds them."""
    if not isinstance(table, dict):
        return
    nested = {key for entry in table.values() if isinstance(entry, dict) for key in entry}
    for key in known:
        if key in nested and key not in KEY_FIELDS:
            raise InvalidSettingError(
                f"{path} sets '{key}' inside a table of a key: move it above [{_KEYS}]."
            )


def _suggestion(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
    return f": did you mean {' or '.join(close)}?" if close else f": valid names are {', '.join(known)}."


def _parse(spec: SettingSpec, raw: object, source: str) -> object:
    what = source if source in {spec.option, spec.env} else f"'{spec.key}' in {source}"
    try:
        return spec.parse(raw)
    except ValueError as error:
        if spec.is_secret:
            raise InvalidSettingError(f"{what} cannot be used: {error}.") from None
        raise InvalidSettingError(f"{what} is {raw!r}, but it must be {spec.expected}.") from error
