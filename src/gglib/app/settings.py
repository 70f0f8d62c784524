"""What a user may set, where it comes from, and which source wins.

Built-in values < ``config.toml`` in the home < ``GGLIB_*`` in the environment < the command line. One table
says all there is: ``SETTINGS``. Adapters never see this module: they are given plain values.
"""

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from gglib.core.access_keys import read_keys
from gglib.core.authorities import read_allowed_origin, read_host
from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.engine_choice import EMBEDDED
from gglib.core.errors import CatalogError, InvalidSettingError
from gglib.core.slots import DEFAULT_SLOTS
from gglib.system.files.small_files import read_small

T = TypeVar("T")

HOME_VARIABLE = "GGLIB_HOME"
CONFIG_NAME = "config.toml"
OWNER_ONLY = 0o700
"""The home holds conversations' traces (logs) and the way to the engines: nobody else's business."""
_KEYS = "api_keys"
_READABLE_BY_OTHERS = 0o044


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. Times in seconds, contexts in tokens."""

    home: Path
    host: str = "127.0.0.1"
    port: int = 8080
    default_ctx: int = 8192
    engine: Path | None = None
    slots: int = DEFAULT_SLOTS
    max_models: int = 1
    max_body_mb: int = 64
    max_bodies_mb: int = 512
    heartbeat_s: float = 10.0
    max_wait_s: float = 600.0
    swap_wait_s: float = 15.0
    drain_s: float = 3.0
    first_byte_s: float = 600.0
    chunk_gap_s: float = 120.0
    stalled_client_s: float = 5.0
    api_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Access keys by name. They stand in no repr, no error and no log."""
    insecure: bool = False
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    allowed_engine_fields: tuple[str, ...] = ()
    max_schema_cost: int = 2000
    max_schema_kb: int = 1024
    max_connections: int = 4096
    warnings: tuple[str, ...] = ()
    """What is not wrong but should not stay so, a sentence each."""

    @property
    def database(self) -> Path:
        """The catalogue."""
        return self.home / "gglib.db"

    @property
    def models_dir(self) -> Path:
        """Where files go that gglib itself downloads."""
        return self.home / "models"

    @property
    def log_dir(self) -> Path:
        """The log of gglib itself and one for each model's engine."""
        return self.home / "logs"

    @property
    def run_dir(self) -> Path:
        """What only lives while a server runs: its lock, its sockets and keys."""
        return self.home / "run"


class _WrongValueError(ValueError):
    """A text or a TOML value is not what the setting takes."""


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _WrongValueError
    return value.strip()


def _path(value: object) -> Path:
    return Path(_text(str(value))).expanduser().absolute()


def _engine(value: object) -> Path:
    return EMBEDDED if str(value) == str(EMBEDDED) else _path(value)


def _integer(lowest: int, highest: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise _WrongValueError
        number = int(value)
        if not lowest <= number <= highest:
            raise _WrongValueError
        return number

    return parse


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _WrongValueError
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise _WrongValueError
    return number


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    try:
        return _SWITCH[_text(value).lower()]
    except KeyError:
        raise _WrongValueError from None


_SWITCH = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def _several(read: Callable[[str], T]) -> Callable[[object], tuple[T, ...]]:
    """Read a list, or text with commas, as the environment has it; what is named twice counts once."""

    def parse(value: object) -> tuple[T, ...]:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise _WrongValueError
        return tuple(dict.fromkeys(read(item.strip()) for item in items))

    return parse


def _origin(text: str) -> str:
    read_allowed_origin(text)
    return text.lower()


def _field_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.\-]{1,64}", text):
        raise _WrongValueError
    return text


def parse_context(value: object) -> int:
    """Return a context in tokens; ``max`` means as much as the model was trained for. Raises ValueError."""
    if isinstance(value, str) and value.strip().lower() == "max":
        return UNLIMITED_CONTEXT
    return _integer(1, UNLIMITED_CONTEXT)(value)


@dataclass(frozen=True, slots=True)
class SettingSpec:
    """One line of the table: how a setting is called, read and described."""

    key: str
    """Its name in ``config.toml``; the variable and the option are made from it."""
    field: str
    parse: Callable[[object], object]
    must_be: str
    """Said of a wrong value; of a secret one ``parse`` says it, because the value may not be shown."""
    help: str
    env_key: str | None = None
    is_secret: bool = False

    @property
    def env(self) -> str:
        """The environment variable."""
        return f"GGLIB_{(self.env_key or self.key).upper()}"

    @property
    def option(self) -> str:
        """The option of the commands that have it."""
        return "--" + self.key.replace("_", "-")


CONTEXT_MUST_BE = "a number of tokens above 0, or 'max'"

SETTINGS: tuple[SettingSpec, ...] = (
    SettingSpec("host", "host", _text, "a host name or address", "Address to listen on."),
    SettingSpec(
        "port",
        "port",
        _integer(0, 65535),
        "a whole number from 0 to 65535",
        "Port to listen on; 0 takes a free one.",
    ),
    SettingSpec(
        "ctx",
        "default_ctx",
        parse_context,
        CONTEXT_MUST_BE,
        "Context in tokens when neither request nor model says; 'max' is what the model was trained for.",
    ),
    SettingSpec(
        "engine",
        "engine",
        _engine,
        "the path of a llama-server, or 'embedded'",
        "The llama-server program to use, or `embedded` for the engine that comes with gglib.",
    ),
    SettingSpec(
        "slots",
        "slots",
        _integer(1, 64),
        "a whole number from 1 to 64",
        "Requests that one model answers at a time, each with the whole context; fewer where memory is short.",
    ),
    SettingSpec(
        "max_models",
        "max_models",
        _integer(1, 64),
        "a whole number from 1 to 64",
        "Models that may be in memory at the same time.",
    ),
    SettingSpec(
        "max_body_mb",
        "max_body_mb",
        _integer(1, 4096),
        "a whole number of MiB from 1 to 4096",
        "Largest request body in MiB.",
    ),
    SettingSpec(
        "max_bodies_mb",
        "max_bodies_mb",
        _integer(1, 1024 * 1024),
        "a whole number of MiB from 1 to 1048576",
        "Memory in MiB for the request bodies of all clients together.",
    ),
    SettingSpec(
        "heartbeat_s",
        "heartbeat_s",
        _seconds,
        "a number of seconds, 0 or more",
        "Seconds between the comments that keep a waiting stream open; 0 sends none.",
    ),
    SettingSpec(
        "max_wait_s",
        "max_wait_s",
        _seconds,
        "a number of seconds, 0 or more",
        "Seconds that a request waits for its model at most.",
    ),
    SettingSpec(
        "swap_wait_s",
        "swap_wait_s",
        _seconds,
        "a number of seconds, 0 or more",
        "Seconds after which a model gets its turn although another one is busy.",
    ),
    SettingSpec(
        "drain_s",
        "drain_s",
        _seconds,
        "a number of seconds, 0 or more",
        "Seconds that a stop lets answers in flight go on.",
    ),
    SettingSpec(
        "first_byte_s",
        "first_byte_s",
        _seconds,
        "a number of seconds, 0 or more",
        "Seconds that an engine may take to begin its answer; 0 waits for ever.",
    ),
    SettingSpec(
        "chunk_gap_s",
        "chunk_gap_s",
        _seconds,
        "a number of seconds, 0 or more",
        "Seconds that an engine may pause in the middle of its answer; 0 waits for ever.",
    ),
    SettingSpec(
        "stalled_client_s",
        "stalled_client_s",
        _seconds,
        "a number of seconds, 0 or more",
        "Seconds that a client may read nothing of an answer that another model waits for; 0 gives it 60 s.",
    ),
    SettingSpec(
        _KEYS,
        "api_keys",
        read_keys,
        "a table of keys by name",
        "Keys that clients must have, by name; none: everybody may come in.",
        env_key="api_key",
        is_secret=True,
    ),
    SettingSpec(
        "insecure",
        "insecure",
        _switch,
        "true or false",
        "Serve other machines also without a key.",
    ),
    SettingSpec(
        "allowed_hosts",
        "allowed_hosts",
        _several(read_host),
        "a list of names or addresses without a port",
        "Names that clients may call this server by, beside those of this machine.",
    ),
    SettingSpec(
        "cors_origins",
        "cors_origins",
        _several(_origin),
        "a list of origins as https://chat.example.com, nothing after the host and port, or '*'",
        "Origins of web pages that may use this server, beside those of this machine.",
    ),
    SettingSpec(
        "allowed_engine_fields",
        "allowed_engine_fields",
        _several(_field_name),
        "a list of names of fields",
        "Fields of a request that control the engine, and reach it all the same.",
    ),
    SettingSpec(
        "max_schema_cost",
        "max_schema_cost",
        _integer(1, 1_000_000_000),
        "a whole number from 1 to 1000000000",
        "Alternatives that a request's schemas and tools may open at one place; a value of an enum counts 1.",
    ),
    SettingSpec(
        "max_schema_kb",
        "max_schema_kb",
        _integer(1, 1_048_576),
        "a whole number of KiB from 1 to 1048576",
        "Largest schema, or list of tools, of a request in KiB.",
    ),
    SettingSpec(
        "max_connections",
        "max_connections",
        _integer(1, 1_000_000),
        "a whole number from 1 to 1000000",
        "Connections of clients at the same time.",
    ),
)


def load_settings(overrides: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """Return the settings that hold, from all sources.

    ``overrides`` are the command line's, by key (``home`` too); None means not given. Raises
    ``InvalidSettingError``, whose sentence names the source.
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
    return Settings(home=home, warnings=(*warnings, *_unknown_variables(environ)), **values)


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return a warning for each variable that looks like a setting and is none: a key in it would protect nothing."""
    known = [HOME_VARIABLE, *(spec.env for spec in SETTINGS)]
    unknown = sorted(name for name in environ if name.startswith("GGLIB_") and name not in known)
    return [f"gglib does not know the variable {name}{_near(name, known)}" for name in unknown]


def prepare_home(settings: Settings) -> None:
    """Create the home and its directories, for the owner alone. Raises ``CatalogError``."""
    try:
        settings.home.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        for directory in (settings.models_dir, settings.log_dir, settings.run_dir):
            directory.mkdir(mode=OWNER_ONLY, exist_ok=True)
    except OSError as error:
        if settings.home.is_symlink() and not settings.home.exists():
            raise CatalogError(
                f"The home {settings.home} is a link to {settings.home.readlink()}, which is not there: "
                "mount or create that, or name another home with --home."
            ) from error
        raise CatalogError(
            f"The home {settings.home} cannot be used ({error.strerror}): name another with --home."
        ) from error


def _find_home(overrides: Mapping[str, object], environ: Mapping[str, str]) -> Path:
    given = overrides.get("home") or environ.get(HOME_VARIABLE)
    return _path(given) if given else platformdirs.user_data_path("gglib", appauthor=False)


def _read_config(path: Path) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return what is set in the file, and what is to be said of the file itself."""
    try:
        content = read_small(path, follows_links=True)
        is_readable_by_others = bool(path.stat().st_mode & _READABLE_BY_OTHERS)
    except FileNotFoundError:
        return {}, ()
    except OSError as error:
        raise InvalidSettingError(
            f"{path} cannot be read ({error.strerror or error}): put a file in its place that this user can read."
        ) from error
    config = _parse_config(path, content)
    _refuse_unknown(path, config)
    if is_readable_by_others and config.get(_KEYS):
        return config, (f"{path} has access keys in it, and others can read it: 'chmod 600 {path}'.",)
    return config, ()


def _parse_config(path: Path, content: bytes) -> dict[str, object]:
    """Return the settings of the file's bytes; a byte order mark and ``CR LF`` are what some editors write."""
    try:
        config: dict[str, object] = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidSettingError(f"{path} is not UTF-8: save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettingError(f"{path} is not valid TOML: {error}.") from error
    except RecursionError as error:
        raise InvalidSettingError(f"{path} is not valid settings: it is nested too deeply.") from error
    return config


def _refuse_unknown(path: Path, config: dict[str, object]) -> None:
    known = [spec.key for spec in SETTINGS]
    for key in config:
        if key not in known:
            raise InvalidSettingError(f"{path} sets '{key}', which gglib does not know{_near(key, known)}")
    table = config.get(_KEYS)
    for key in table if isinstance(table, dict) else ():
        if key in known:
            raise InvalidSettingError(
                f"{path} sets '{key}' below [{_KEYS}], where it would be a key: move it above that line."
            )


def _near(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
    return f": did you mean {' or '.join(close)}?" if close else f": it knows {', '.join(known)}."


def _parse(spec: SettingSpec, raw: object, source: str) -> object:
    what = source if source in {spec.option, spec.env} else f"'{spec.key}' in {source}"
    try:
        return spec.parse(raw)
    except ValueError as error:
        if spec.is_secret:
            raise InvalidSettingError(f"{what} cannot be used: {error}.") from None
        raise InvalidSettingError(f"{what} is {raw!r}, but it must be {spec.must_be}.") from error
