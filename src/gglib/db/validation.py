"""Validates models before they are stored. Pure."""

from collections.abc import Iterable
from typing import get_args

from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelKind, ModelSettings, NewModel
from gglib.core.name_rules import check_aliases, check_name, check_text
from gglib.core.versions import FileRole, NewVersion


def check_new(model: NewModel) -> None:
    """Raise ``InvalidSettingError`` or ``ModelExistsError`` for a model that no catalogue can store."""
    check_aliases(model.aliases, name=model.name)
    check_entered(model)


def check_entered(model: NewModel) -> None:
    """Raise ``InvalidSettingError`` as ``check_new``; aliases may repeat each other and the name."""
    for name in (model.name, *model.aliases):
        check_name(name)
    check_tags(model.tags)
    check_settings(model.settings)
    check_files(model)


def check_files(model: NewModel) -> None:
    """Raise ``InvalidSettingError`` for a model with neither file nor backend, or with hashes for other files."""
    if not model.paths and model.backend is None:
        raise InvalidSettingError(f"Model '{model.name}' has no file: give at least one.")
    if model.hashes and len(model.hashes) != len(model.paths):
        raise InvalidSettingError(
            f"Model '{model.name}' has {len(model.hashes)} hashes for {len(model.paths)} files: give one for each."
        )


def check_version(version: NewVersion, model: NewModel | None = None) -> None:
    """Raise ``ValueError`` for a version without a file, and for a model whose files differ from the version's.

    A model's row never has files of two versions: the order counts, too. A projector may be the user's own.
    """
    if not version.files:
        raise ValueError("A version has at least one file.")
    shards = tuple(file.path for file in version.files if file.role is FileRole.MODEL)
    if model is not None and model.paths != shards:
        raise ValueError(f"Model '{model.name}' has {model.paths}, but its version {shards}.")


def check_tags(tags: Iterable[str]) -> None:
    """Raise ``InvalidSettingError`` for a tag that is not printable in one line."""
    for tag in tags:
        check_text(tag, "tag")


def check_settings(settings: ModelSettings) -> None:
    """Raise ``InvalidSettingError`` for invalid values; engine arguments are not checked here."""
    if settings.kind is not None and settings.kind not in get_args(ModelKind):
        raise InvalidSettingError(f"'{settings.kind}' is not a model kind: set chat, embedding or rerank.")
    if settings.context is not None and settings.context < 1:
        raise InvalidSettingError(f"A context of {settings.context} tokens is too small: set at least 1.")
    if settings.idle_ttl_s is not None and not settings.idle_ttl_s >= 0:  # refuses NaN, too
        raise InvalidSettingError(
            f"An idle time-to-live of {settings.idle_ttl_s} s is invalid: set 0 or more."
        )
