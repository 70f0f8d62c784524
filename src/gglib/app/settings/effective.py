"""The effective settings with their sources, and what overrides a change of ``config.toml``. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gglib.app.settings.changes import shown_value
from gglib.app.settings.definitions import CONFIG_NAME, SETTINGS, Settings
from gglib.app.settings.spec import SettingSpec
from gglib.core.api_keys import ApiKey
from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.sizes import format_size

DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveSetting:
    """A setting, its value and where that comes from. Never holds a secret."""

    setting: str
    value: Any
    """As ``config.toml`` has it, for JSON, sizes in bytes; None: not set. Of keys only the names."""
    source: str
    """``default``, ``config.toml``, a variable or an option."""
    overrides: tuple[str, ...]
    """Other sources that set it, too, and are not used."""
    is_live: bool
    """Whether a running server applies a change without a restart."""

    @property
    def shown(self) -> str:
        """The value on one line, as a user writes it; empty if it is not set."""
        return self.shown_as_text(self.value)

    def shown_as_text(self, value: Any) -> str:  # noqa: ANN401 - any TOML value
        """Return the value of the setting, or of one of its entries, on one line."""
        if self.setting != "memory":
            return shown_value(value)
        sizes = value if isinstance(value, Mapping) else {"": value}
        shown = {device: format_size(size) for device, size in sizes.items() if size is not None}
        return shown_value(shown if value is sizes else shown.get(""))


def effective_settings(settings: Settings) -> list[EffectiveSetting]:
    """Return all settings, in the order of their documentation."""
    return [effective_setting(spec, settings) for spec in SETTINGS]


def effective_setting(spec: SettingSpec, settings: Settings) -> EffectiveSetting:
    """Return the value of one setting and its source."""
    source, *overridden = settings.sources.get(spec.field, (DEFAULT,))
    return EffectiveSetting(
        setting=spec.key,
        value=_public(spec, getattr(settings, spec.field)),
        source=source,
        overrides=tuple(overridden),
        is_live=spec.is_live,
    )


def entry_value(setting: EffectiveSetting, settings: Settings, path: Sequence[str]) -> Any:  # noqa: ANN401 - for JSON
    """Return the value of a setting, or of an entry of its table; None if it is not set."""
    if len(path) == 1:
        return setting.value
    if setting.setting != "api_keys":
        return setting.value.get(path[1])
    key = settings.api_keys.get(path[1])
    if key is None:
        return None
    about = key_fields(key)
    return about.get(path[2]) if len(path) > 2 else about


def key_fields(key: ApiKey) -> dict[str, Any]:
    """Return the rights and limits of a key, without the key."""
    return {
        "models": list(key.models),
        "admin": key.is_admin,
        "priority": None if key.priority is None else key.priority.name.lower(),
        "rpm": key.limits.rpm,
        "tpm": key.limits.tpm,
        "parallel": key.limits.parallel,
    }


def _public(spec: SettingSpec, value: Any) -> Any:  # noqa: ANN401 - the type of the field
    """Return a value as ``config.toml`` has it; of keys the names."""
    if spec.key == "max_models" and value is None:
        return "auto"
    if spec.key == "ctx" and value == UNLIMITED_CONTEXT:
        return "max"
    return _as_toml(list(value) if spec.is_secret else value)


def _as_toml(value: Any) -> Any:  # noqa: ANN401 - any TOML value
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {name: _as_toml(item) for name, item in value.items()}
        case tuple() | list():
            return [_as_toml(item) for item in value]
    return str(value)


def overriding(spec: SettingSpec, environ: Mapping[str, str], arguments: Sequence[str]) -> list[str]:
    """Return sentences about what overrides ``config.toml``: the environment, and the running server's options.

    ``arguments`` is the command line of the running server.
    """
    sentences = []
    if environ.get(spec.env):
        sentences.append(f"{spec.env} is set in the environment and overrides {CONFIG_NAME}.")
    if given_option(spec, arguments):
        sentences.append(f"The running server was started with {spec.option}, which overrides {CONFIG_NAME}.")
    return sentences


def given_option(spec: SettingSpec, arguments: Sequence[str]) -> str | None:
    """Return the option of a setting as it is in a command line, with its value: ``--port 9000``; None: it is not."""
    for index, word in enumerate(arguments):
        if word == spec.option:
            value = arguments[index + 1 : index + 2]
            return word if spec.field == "insecure" or not value else f"{word} {value[0]}"
        if word.startswith(f"{spec.option}="):
            return word.replace("=", " ", 1)
    return None


def effect_of_change(spec: SettingSpec, *, is_running: bool, problem: str | None = None) -> str | None:
    """Return how the running server gets a change of ``config.toml``; None if none runs.

    ``problem`` is why the file is not valid, as a sentence: the server then keeps its settings, all of them.
    """
    if not is_running:
        return None
    if problem is not None:
        return (
            "The running server does not apply it until config.toml is valid: 'gglib config edit' opens it. "
            f"{problem}"
        )
    if spec.is_live:
        return "The running server applies it within seconds."
    return "The running server uses it after a restart: 'gglib stop --server', then 'gglib serve'."
