"""What a model may hold before it is stored. Pure."""

from collections.abc import Iterable
from typing import get_args

from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelKind, ModelSettings, NewModel
from gglib.core.naming import check_aliases, check_name, check_text


def check_new(model: NewModel) -> None:
    """Raise ``InvalidSettingError`` or ``ModelExistsError`` when the model can be stored in no catalogue."""
    check_name(model.name)
    check_aliases(model.aliases, name=model.name)
    check_tags(model.tags)
    check_settings(model.settings)
    check_files(model)


def check_files(model: NewModel) -> None:
    """Raise ``InvalidSettingError`` for a model without a file, or with hashes for other files than it has."""
    if not model.paths:
        raise InvalidSettingError(f"Model '{model.name}' has no file: name at least one.")
    if model.hashes and len(model.hashes) != len(model.paths):
        raise InvalidSettingError(
            f"Model '{model.name}' has {len(model.hashes)} hashes for {len(model.paths)} files: give one for each."
        )


def check_tags(tags: Iterable[str]) -> None:
    """Raise ``InvalidSettingError`` for a tag that cannot be shown in one line."""
    for tag in tags:
        check_text(tag, "tag")


def check_settings(settings: ModelSettings) -> None:
    """Raise ``InvalidSettingError`` for what makes no sense; engine arguments are not judged here."""
    if settings.kind is not None and settings.kind not in get_args(ModelKind):
        raise InvalidSettingError(f"A model is no '{settings.kind}': set chat, embedding or rerank.")
    if settings.context is not None and settings.context < 1:
        raise InvalidSettingError(f"A context of {settings.context} tokens is too small: set at least 1.")
    if settings.idle_ttl_s is not None and not settings.idle_ttl_s >= 0:  # so that NaN is refused, too
        raise InvalidSettingError(
            f"An idle time-to-live of {settings.idle_ttl_s} s is no time: set 0 or more."
        )
