"""Values that describe a client, and what its settings are made from. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

Api = Literal["openai", "responses", "anthropic", "ollama"]
"""OpenAI's chat completions and Responses, Anthropic's Messages, and Ollama's API."""

DUMMY_KEY = "gglib"
"""Most clients require a key; a gglib without keys accepts any."""
MAX_OUTPUT_TOKENS = 32_000
"""Upper limit of ``Connection.max_output``: what agents ask for at most."""


class Kind(StrEnum):
    """How a client is used."""

    PROGRAM = "program"
    """A command in a terminal, which ``gglib launch`` starts."""
    APPLICATION = "application"
    """A program with a dialog or file of settings."""
    LIBRARY = "library"
    """Code that is copied into a program."""


class ConfigFormat(StrEnum):
    """The format of a configuration file."""

    JSON = "json"
    """JSON, with comments and trailing commas accepted."""
    TOML = "toml"
    YAML = "yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """The key that the server requires. Its value is never part of a setting."""

    variable: str
    """The environment variable in which clients find it."""
    name: str | None = None
    """Its name in the settings of the server; None: not known here."""

    @property
    def placeholder(self) -> str:
        """What is shown where only the key itself works; safe in a shell, in JSON, YAML and Python."""
        return f"KEY_OF_{self.name or DUMMY_KEY}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What a client has to know of a server."""

    url: str
    """The base URL without a path."""
    model: str
    context: int
    """The context of the model in tokens, prompt and response together."""
    key: Key | None = None
    """None: the server requires none."""

    @property
    def base(self) -> str:
        """The base URL of OpenAI's API."""
        return f"{self.url}/v1"

    @property
    def max_output(self) -> int:
        """Maximum number of tokens of a response: a quarter of the context, so that a prompt fits beside it."""
        return max(1, min(self.context // 4, MAX_OUTPUT_TOKENS))

    @property
    def pasted_key(self) -> str:
        """The key for a place that takes nothing but the key: a placeholder, or the dummy."""
        return DUMMY_KEY if self.key is None else self.key.placeholder

    def key_as(self, form: str) -> str:
        """Return a reference to the key's variable, for which ``form`` has one ``%s``; the dummy without a key."""
        return DUMMY_KEY if self.key is None else form % self.key.variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the files of clients are on this machine."""

    home: Path
    environ: Mapping[str, str]
    is_macos: bool = False

    def directory(self, variable: str, *default: str) -> Path:
        """Return the directory that an environment variable names, else the default below the user's home."""
        named = self.environ.get(variable)
        return Path(named) if named else self.home.joinpath(*default)

    @property
    def config(self) -> Path:
        """The directory of configuration files (XDG Base Directory Specification)."""
        return self.directory("XDG_CONFIG_HOME", ".config")

    @property
    def application_data(self) -> Path:
        """The directory in which programs that follow the platform keep their data and settings."""
        return self.home.joinpath("Library", "Application Support") if self.is_macos else self.config


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """Values in a client's configuration file. Everything else in the file is the user's."""

    path: Path
    format: ConfigFormat
    values: Mapping[str, object] | list[dict[str, object]]
    """Objects are merged into existing ones; items of lists are added."""
    defaults: Mapping[str, object] = field(default_factory=dict)
    """Values that are added where the file has none, and never replace the user's."""
    identity: tuple[str, ...] = ()
    """The fields by which two items of a list are the same one; empty: a list replaces the existing one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a user has to do to connect one client."""

    where: str
    """Where the text belongs: a dialog, ``in a terminal``, a file."""
    text: str
    file: ConfigFile | None = None
    """The file that ``gglib connect --write`` changes; None: the client has none that could be changed."""
    start: str = ""
    """The command that then uses these settings."""
    note: str = ""
    """A limit that a user has to know; one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchFile:
    """A file of gglib's own, which a launch writes for the client. It never contains a key."""

    path: Path
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a program is started, so that it uses the server without changes to the user's files."""

    environment: Mapping[str, str] = field(default_factory=dict)
    key_variables: tuple[str, ...] = ()
    """The variables that get the key, or the dummy."""
    removed: tuple[str, ...] = ()
    """Variables that would lead the client to another server, or send the key of another service to this one."""
    arguments: tuple[str, ...] = ()
    """The arguments before those of the user."""
    files: tuple[LaunchFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A command that ``gglib launch`` starts."""

    executable: str
    install: str
    """The command that installs it."""
    launch: Callable[[Connection, Path], Launch]
    """Returns the launch for a connection; the path is gglib's directory for the client's files."""
    prompt_tokens: int = 0
    """Size of its first prompt with the tools, rounded up; 0: too small to matter.

    In tokens of cl100k_base, counted in the request of the version in the table; other tokenizers need up to a
    quarter more.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The version of a client that was run with gglib, and the day."""

    version: str
    date: str

    def __str__(self) -> str:
        """Return both: ``1.2.3 (2026-11-29)``."""
        return f"{self.version} ({self.date})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client."""

    name: str
    """Its name on the command line."""
    title: str
    kind: Kind
    speaks: tuple[Api, ...]
    """The API that these settings use."""
    how: str
    """By what it gets its settings, in a few words."""
    settings: Callable[[Connection, Places], Settings]
    program: Program | None = None
    verified: Verified | None = None
    """None: these settings were not run with gglib."""

    @property
    def launch_command(self) -> str | None:
        """The command that starts it with its settings; None for a client that is not launched."""
        return None if self.program is None else f"gglib launch {self.name}"
