"""The words of ``add`` and ``set`` for common engine options, and the change of a model's settings they make. Pure."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelSettings
from gglib.runtime.engines.llama_cpp.options.csv_lists import join_csv
from gglib.runtime.engines.llama_cpp.options.parsing import final_values, without_options
from gglib.runtime.engines.llama_cpp.options.templates import BUILT_IN_TEMPLATES

DEFAULT, NONE, AUTO, OFF = "default", "none", "auto", "off"
_PLAIN_CACHE = "f16"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineWords:
    """The words as typed; None and empty: not given."""

    engine_args: tuple[str, ...] | None = None
    """Replaces the model's engine arguments before the other words change them."""
    device: str | None = None
    gpu_layers: str | None = None
    kv_type: str | None = None
    draft: str | None = None
    """The path of the draft model, or ``off``."""
    lora: tuple[str, ...] = ()
    template: str | None = None
    thinking: str | None = None
    env: tuple[str, ...] = ()
    extra_args: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEdit:
    """A change of the engine's part of a model's settings."""

    replacement: tuple[str, ...] | None = None
    removed: tuple[str, ...] = ()
    """Names of options."""
    added: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    """New values by name; an empty one removes the variable."""
    extra_args: tuple[str, ...] | None = None

    def apply(self, settings: ModelSettings) -> ModelSettings:
        """Return the settings after the change."""
        before = settings.engine_args if self.replacement is None else self.replacement
        environment = dict(settings.environment) | dict(self.environment)
        return replace(
            settings,
            engine_args=(*without_options(before, self.removed), *self.added),
            environment=tuple((name, value) for name, value in environment.items() if value),
            extra_args=settings.extra_args if self.extra_args is None else self.extra_args,
        )


def engine_edit(words: EngineWords) -> EngineEdit:
    """Return the change that the words make. Raises ``InvalidSettingError``."""
    removed: list[str] = []
    added: list[str] = []
    for names, arguments in (
        _value(words.device, "--device", resets=(DEFAULT, AUTO)),
        _value(words.gpu_layers, "--gpu-layers", resets=(DEFAULT, AUTO)),
        _kv_type(words.kv_type),
        _value(words.draft, "--model-draft", "--spec-type", resets=(OFF, NONE, DEFAULT)),
        _lora(words.lora),
        _template(words.template),
        _value(words.thinking, "--reasoning", resets=(AUTO, DEFAULT)),
    ):
        removed += names
        added += arguments
    return EngineEdit(
        replacement=words.engine_args,
        removed=tuple(removed),
        added=tuple(added),
        environment=tuple(_variable(text) for text in words.env),
        extra_args=words.extra_args,
    )


_Change = tuple[Sequence[str], Sequence[str]]
"""Names of options to remove, and arguments to add."""
_UNCHANGED: _Change = ((), ())


def _value(text: str | None, name: str, *also_removed: str, resets: Sequence[str]) -> _Change:
    """Return the change of a word whose text is the value of the option ``name``, or resets it."""
    if text is None:
        return _UNCHANGED
    return ((name, *also_removed), () if text in resets else (name, text))


def _kv_type(text: str | None) -> _Change:
    names = ("--cache-type-k", "--cache-type-v", "--flash-attn")
    if text is None:
        return _UNCHANGED
    if text in {DEFAULT, _PLAIN_CACHE}:
        return (names, ())
    return (names, ("--flash-attn", "on", "--cache-type-k", text, "--cache-type-v", text))


def _lora(texts: Sequence[str]) -> _Change:
    names = ("--lora", "--lora-scaled")
    if not texts:
        return _UNCHANGED
    if NONE in texts:
        if len(texts) > 1:
            raise InvalidSettingError("--lora none removes all adapters: leave out the others.")
        return (names, ())
    scaled = [f"{path}:{scale:g}" for path, scale in map(lora_file, texts)]
    return (names, ("--lora-scaled", join_csv(scaled)))


def lora_file(text: str) -> tuple[str, float]:
    """Return path and scale of ``FILE[:SCALE]``."""
    path, colon, scale = text.rpartition(":")
    try:
        return (path, float(scale)) if colon and path else (text, 1.0)
    except ValueError:
        return text, 1.0


def _template(text: str | None) -> _Change:
    names = ("--chat-template", "--chat-template-file")
    if text is None:
        return _UNCHANGED
    if text == DEFAULT:
        return (names, ())
    is_name = text in BUILT_IN_TEMPLATES
    return (names, ("--chat-template" if is_name else "--chat-template-file", text))


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidSettingError(
            f"--env is '{text}', but it must be NAME=VALUE; 'NAME=' removes the variable."
        )
    return name, value


def engine_words_of(settings: ModelSettings) -> dict[str, str]:
    """Return the common options of a model as words, by label; those that are not set are empty.

    Raises ``EngineArgumentError`` for arguments that are not valid.
    """
    values = final_values(settings.engine_args)
    cache = {values.get("--cache-type-k", _PLAIN_CACHE), values.get("--cache-type-v", _PLAIN_CACHE)}
    adapters = ",".join(filter(None, (values.get("--lora"), values.get("--lora-scaled"))))
    return {
        "Device": values.get("--device", ""),
        "GPU layers": values.get("--gpu-layers", ""),
        "KV type": "" if cache == {_PLAIN_CACHE} else "/".join(sorted(cache)),
        "Draft": Path(values.get("--model-draft", "")).name,
        "LoRA": adapters,
        "Chat template": values.get("--chat-template-file", values.get("--chat-template", "")),
        "Thinking": values.get("--reasoning", ""),
        "Environment": shlex.join(f"{name}={value}" for name, value in settings.environment),
        "After --": shlex.join(settings.extra_args),
    }
