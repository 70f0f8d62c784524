"""Checks the engine's part of a model's settings when it is set, with the engine in use and the model's header."""

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from gglib.app.settings import Settings
from gglib.core.errors import (
    EngineArgumentError,
    EngineNotFoundError,
    InvalidGgufError,
    InvalidSettingError,
)
from gglib.core.models import GgufFacts, ModelSettings, ModelSummary
from gglib.core.names import find_model
from gglib.gguf import read_model
from gglib.library.add import absolute_path
from gglib.runtime.engines import find_engine
from gglib.runtime.engines.llama_cpp.environment import check_environment
from gglib.runtime.engines.llama_cpp.options.files import check_files, named_files, with_absolute_files
from gglib.runtime.engines.llama_cpp.options.parsing import parse_engine_args
from gglib.runtime.engines.llama_cpp.options.reserved import check_extra_args
from gglib.runtime.engines.llama_cpp.options.rules import check_combinations, check_for_model

_ADAPTER, _EMBEDDED = "adapter", "embedded"
_VOCABULARY_DIFFERENCE = 128
"""``SPEC_VOCAB_MAX_SIZE_DIFFERENCE`` in llama.cpp's ``common/speculative.cpp``."""
_SMALLER = 2
"""A draft model has at most the model's parameters divided by this: a larger one saves no time."""


def split_engine_args(text: str) -> tuple[str, ...]:
    """Split engine arguments in shell syntax, so that quotes and JSON survive. Raises ``InvalidSettingError``."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise InvalidSettingError(f"--engine-args cannot be read: {error}.") from None


def with_files(settings: ModelSettings, directory: Path) -> ModelSettings:
    """Return the settings with absolute paths in the engine arguments. Raises ``EngineArgumentError``."""
    return replace(settings, engine_args=with_absolute_files(settings.engine_args, directory))


def check_engine_settings(own: ModelSettings, settings: Settings, facts: GgufFacts | None = None) -> None:
    """Check a model's engine arguments, environment and extra arguments. Blocks: the engine may be run.

    With ``facts``, files are checked to go with the model. Without a working engine only what all engines refuse is
    checked. Raises ``InvalidSettingError``.
    """
    for _ in parse_engine_args(own.engine_args):
        pass
    check_combinations(own.engine_args)
    check_files(own.engine_args)
    check_environment(own.environment)
    check_extra_args(own.extra_args)
    if facts is not None:
        check_for_model(own.engine_args, facts)
        _check_headers(own.engine_args, facts)
    if not own.engine_args and not own.extra_args:
        return
    with suppress(EngineNotFoundError):
        engine = find_engine(settings.engine)
        engine.check_engine_args(own.engine_args)
        if own.extra_args and engine.kind == _EMBEDDED:
            raise EngineArgumentError(
                "The embedded engine (xllamacpp) has no command line, so it takes no arguments after '--': "
                "install llama.cpp so that llama-server is on the PATH, or use '--engine-args'."
            )


def model_facts(model: ModelSummary) -> GgufFacts | None:
    """Return the facts of a model's file; None if it has none, or it cannot be read. Blocks."""
    return file_facts(model.paths[0]) if model.paths else None


def file_facts(path: Path) -> GgufFacts | None:
    """Return the facts of a file; None if it is no readable GGUF file. Blocks."""
    try:
        return read_model(absolute_path(path)).facts
    except (InvalidGgufError, OSError, ValueError):
        return None


def find_draft(
    text: str, model: ModelSummary | None, facts: GgufFacts | None, models: Sequence[ModelSummary]
) -> Path:
    """Return the file of ``--draft``: a path, the name of a model, or ``auto`` for a small one of the catalogue.

    Blocks: headers are read. Raises ``InvalidSettingError``.
    """
    if text == "auto":
        return _automatic_draft(model, facts, models)
    path = absolute_path(Path(text))
    if path.is_file():
        return path
    named = find_model(text, models)
    if named is None or not named.paths:
        raise InvalidSettingError(
            f"--draft is '{text}', but there is neither such a file nor such a model: 'gglib list' lists the models."
        )
    return named.paths[0]


def _automatic_draft(
    model: ModelSummary | None, facts: GgufFacts | None, models: Sequence[ModelSummary]
) -> Path:
    if facts is not None:
        size = facts.parameter_count or 0
        found = [
            (other.parameter_count, other.paths[0])
            for other in models
            if (model is None or other.id != model.id)
            and other.paths
            and other.parameter_count
            and other.parameter_count * _SMALLER <= size
            and _has_same_vocabulary(facts, file_facts(other.paths[0]))
        ]
        if found:
            return min(found)[1]
    raise InvalidSettingError(
        "--draft auto found no model of the same vocabulary and at most half the size in the catalogue: "
        "pull a small model of the same family, or give --draft FILE."
    )


def _check_headers(arguments: Sequence[str], facts: GgufFacts) -> None:
    """Raise ``EngineArgumentError`` for an adapter or a draft model of another family."""
    for option, path in named_files(arguments):
        if option.name in {"--lora", "--lora-scaled"}:
            _check_adapter(option.name, path, facts)
        elif option.name == "--model-draft":
            draft = file_facts(path)
            if draft is None:
                raise EngineArgumentError(f"The draft model '{path}' cannot be read as a GGUF file.")
            if not _has_same_vocabulary(facts, draft):
                raise EngineArgumentError(
                    f"The draft model '{path}' has another vocabulary than the model: use one of the same family."
                )


def _check_adapter(name: str, path: Path, facts: GgufFacts) -> None:
    adapter = file_facts(path)
    if adapter is None or adapter.kind != _ADAPTER:
        raise EngineArgumentError(f"The file '{path}' of '{name}' is no adapter in the GGUF format.")
    if adapter.architecture != facts.architecture:
        raise EngineArgumentError(
            f"The adapter '{path}' is for models of the architecture '{adapter.architecture}', but this model's is "
            f"'{facts.architecture}'."
        )


def _has_same_vocabulary(facts: GgufFacts, other: GgufFacts | None) -> bool:
    """Whether two models may have the same vocabulary, as far as the sizes show it; the engine compares the tokens.

    Models of one family may differ in unused tokens at the end.
    """
    if other is None or facts.merge_count != other.merge_count:
        return False
    if facts.vocabulary_size is None or other.vocabulary_size is None:
        return facts.vocabulary_size == other.vocabulary_size
    return abs(facts.vocabulary_size - other.vocabulary_size) <= _VOCABULARY_DIFFERENCE
