"""Profiles: named defaults for requests, used as ``model:profile``. Pure.

A profile belongs to one model or to all. It fills in fields that a request does not set, and removes the fields of
``strip``. The name of a model always wins: ``llama3:8b`` is a profile only if no model has this name.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gglib.core.errors import InvalidSettingError, ModelNotFoundError, ProfileNotFoundError
from gglib.core.models import ModelSummary
from gglib.core.names import LATEST_TAG, find_model, not_found

SEPARATOR = ":"
"""Between the names of model and profile; the last one counts, because model names may have it too."""
PROTECTED_FIELDS = frozenset(
    (
        "model",
        "stream",
        "num_ctx",
        "messages",
        "prompt",
        "input",
        "chat_template_kwargs",
        "system",
        "instructions",
    )
)
"""Fields that ``defaults`` must not set: gglib reads them, they are the content, or the profile has its own option."""
UNSTRIPPABLE_FIELDS = PROTECTED_FIELDS - {"chat_template_kwargs", "system", "instructions"}
MAX_TEXT_CHARS = 32_768
"""Of the system prompt: a request of gglib's own API has at most 64 KiB."""
MAX_JSON_BYTES = 16_384
"""Of ``defaults``, and of ``template_kwargs``: far more than any list of stop strings needs."""
MAX_VALUE_DEPTH = 16
MAX_FIELDS = 64

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_FIELD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""ASCII without quotes and backslashes, so that it is its own JSON form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Named defaults for requests. The mappings must not be changed."""

    name: str
    model_id: int | None = None
    """The id of its model; None: it belongs to all models."""
    description: str = ""
    system: str | None = None
    """The system prompt of requests without one."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """JSON values of body fields, by name."""
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """JSON values of members of ``chat_template_kwargs``, by name."""
    strip: tuple[str, ...] = ()
    """Body fields that are removed from requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfiledModel:
    """What ``model:profile`` resolves to."""

    model: ModelSummary
    profile: Profile

    @property
    def name(self) -> str:
        """The name for requests."""
        return f"{self.model.name}{SEPARATOR}{self.profile.name}"


def find_profile(name: str, model_id: int | None, profiles: Iterable[Profile]) -> Profile | None:
    """Return the profile ``name`` that belongs to exactly this model, or to all (None), ignoring case."""
    folded = name.casefold()
    return next(
        (known for known in profiles if known.model_id == model_id and known.name.casefold() == folded), None
    )


def find_profiled(
    name: str, models: Sequence[ModelSummary], profiles: Sequence[Profile]
) -> ProfiledModel | None:
    """Return the model and the profile that ``model:profile`` resolves to; None if either is unknown.

    The caller has checked that no model has this name. A profile of the model wins over one of all models.
    """
    model_name, _, profile_name = name.rpartition(SEPARATOR)
    model = find_model(model_name, models) if model_name else None
    if model is None:
        return None
    profile = find_profile(profile_name, model.id, profiles) or find_profile(profile_name, None, profiles)
    return None if profile is None else ProfiledModel(model=model, profile=profile)


def profiles_of(model: ModelSummary, profiles: Iterable[Profile]) -> list[Profile]:
    """Return the profiles of a model: its own, then those of all models that it does not replace."""
    own: dict[str, Profile] = {}
    shared: dict[str, Profile] = {}
    for profile in profiles:
        if profile.model_id == model.id:
            own[profile.name.casefold()] = profile
        elif profile.model_id is None:
            shared[profile.name.casefold()] = profile
    return [*own.values(), *(profile for folded, profile in shared.items() if folded not in own)]


def listed_profiles(models: Sequence[ModelSummary], profiles: Sequence[Profile]) -> list[ProfiledModel]:
    """Return every ``model:profile`` that clients are offered, in the order of the models.

    Profiles of all models are not offered for embedding models and rerankers, and names that a model has are not
    offered for a profile.
    """
    taken = {spelling.casefold() for model in models for spelling in (model.name, *model.aliases)}
    found: list[ProfiledModel] = []
    for model in models if profiles else ():
        is_generating = not (model.capabilities.embedding or model.capabilities.rerank)
        found += [
            profiled
            for profile in profiles_of(model, profiles)
            if is_generating or profile.model_id is not None
            if (profiled := ProfiledModel(model=model, profile=profile)).name.casefold() not in taken
        ]
    return found


def profile_not_found(
    name: str, models: Sequence[ModelSummary], profiles: Sequence[Profile]
) -> ModelNotFoundError:
    """Return the error for a name that resolves to nothing.

    It names the model's profiles if the part before the last ``:`` is a model that has any.
    """
    model_name, _, profile_name = name.rpartition(SEPARATOR)
    model = find_model(model_name, models) if model_name else None
    offered = () if model is None else tuple(profile.name for profile in profiles_of(model, profiles))
    if model is None or not offered:
        return not_found(name, models)
    return ProfileNotFoundError(name, model.name, profile_name, offered)


def check_profile(profile: Profile) -> None:
    """Raise ``InvalidSettingError`` for a profile that cannot be stored. Guarded fields are checked by the proxy."""
    _check_profile_name(profile.name)
    if not profile.description.isprintable() or len(profile.description) > MAX_FIELDS * 8:
        raise InvalidSettingError(
            "The description of a profile must be one printable line of at most 512 characters."
        )
    if profile.system is not None:
        _check_system(profile.system)
    _check_members("defaults", profile.defaults)
    _check_members("template_kwargs", profile.template_kwargs)
    for name, value in profile.defaults.items():
        _check_default(name, value)
    for name in profile.strip:
        if name in UNSTRIPPABLE_FIELDS or not _FIELD.fullmatch(name):
            raise InvalidSettingError(f"A profile cannot strip {name!a}: name another field of the request.")
    if len(profile.strip) > MAX_FIELDS:
        raise InvalidSettingError(f"A profile can strip at most {MAX_FIELDS} fields.")


def _check_profile_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidSettingError(
            f"{name!a} cannot name a profile: use 1 to 64 letters, digits and the characters '.', '_' and '-'."
        )
    if name.casefold() == LATEST_TAG[1:]:
        raise InvalidSettingError("'latest' cannot name a profile: 'MODEL:latest' means the model itself.")


def _check_system(text: str) -> None:
    if not text.strip() or len(text) > MAX_TEXT_CHARS:
        raise InvalidSettingError(f"A system prompt must have 1 to {MAX_TEXT_CHARS} characters.")
    if not _is_unicode(text):
        raise InvalidSettingError("The system prompt is not valid Unicode.")


def _check_members(what: str, members: Mapping[str, Any]) -> None:
    for name in members:
        if not _FIELD.fullmatch(name):
            raise InvalidSettingError(
                f"{name!a} cannot be a field of a profile: use letters, digits, '.', '_' and '-'."
            )
    try:
        text = json.dumps(members, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        raise InvalidSettingError(f"{what} has a value that JSON does not have, such as NaN.") from None
    if len(members) > MAX_FIELDS or not _is_unicode(text) or len(text.encode()) > MAX_JSON_BYTES:
        raise InvalidSettingError(
            f"{what} can have at most {MAX_FIELDS} fields and {MAX_JSON_BYTES} bytes of valid Unicode."
        )
    for name, value in members.items():
        if _depth(value) > MAX_VALUE_DEPTH:
            raise InvalidSettingError(f"'{name}' is nested more than {MAX_VALUE_DEPTH} deep.")


def _is_unicode(text: str) -> bool:
    """Whether a text has no half of a surrogate pair, which the engine refuses."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _depth(value: object) -> int:
    if isinstance(value, Mapping):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list | tuple):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _check_default(name: str, value: object) -> None:
    if name in PROTECTED_FIELDS:
        raise InvalidSettingError(
            f"A profile cannot set '{name}' as a default: use its own option, or leave it to the request."
        )
    if value is None:
        raise InvalidSettingError(f"'{name}' is null in the profile, which sets nothing: leave it out.")
    if name in RULES and not RULES[name].accepts(value):
        raise InvalidSettingError(f"'{name}' must be {RULES[name].expected}.")


@dataclass(frozen=True, slots=True)
class ValueRule:
    """What a well-known default accepts."""

    expected: str
    """The end of "must be …"."""
    accepts: Callable[[object], bool]


def _number(low: float, high: float) -> Callable[[object], bool]:
    def accepts(value: object) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and math.isfinite(value) and low <= value <= high  # type: ignore[arg-type, operator]

    return accepts


def _integer(low: int, high: int = 2**31 - 1) -> Callable[[object], bool]:
    return lambda value: type(value) is int and low <= value <= high


def _is_stop(value: object) -> bool:
    texts = value if isinstance(value, list | tuple) else [value]
    return 0 < len(texts) <= MAX_FIELDS and all(isinstance(text, str) and text for text in texts)


RULES: Mapping[str, ValueRule] = {
    "temperature": ValueRule("a number from 0 to 5", _number(0, 5)),
    "top_p": ValueRule("a number from 0 to 1", _number(0, 1)),
    "top_k": ValueRule("an integer from 0 on (0: no limit)", _integer(0)),
    "min_p": ValueRule("a number from 0 to 1", _number(0, 1)),
    "max_tokens": ValueRule("an integer from 1 on", _integer(1)),
    "seed": ValueRule("an integer from -1 to 4294967295 (-1: random)", _integer(-1, 2**32 - 1)),
    "repeat_penalty": ValueRule("a number from 0 to 5", _number(0, 5)),
    "presence_penalty": ValueRule("a number from -2 to 2", _number(-2, 2)),
    "frequency_penalty": ValueRule("a number from -2 to 2", _number(-2, 2)),
    "stop": ValueRule(f"a text, or a list of 1 to {MAX_FIELDS} texts", _is_stop),
}
"""The sampling fields that have an option of their own. OpenAI's ranges; llama.cpp's for its own fields."""
