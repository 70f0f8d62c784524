"""llama-swap's filters as profiles. Pure.

A filter applies to each request for the model, and overrides what the request sets; a profile applies to requests for
``model:profile``. So a field that a filter sets is stripped, and set as a default.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gglib.core.errors import InvalidSettingError
from gglib.core.profile_rules import PROTECTED_FIELDS, UNSTRIPPABLE_FIELDS, check_profile
from gglib.core.profiles import SEPARATOR, Profile
from gglib.library.importers.configurations.files.documents import Fields
from gglib.library.importers.configurations.files.field_rules import leftovers_of
from gglib.library.importers.configurations.llama_swap.rules import FILTER_RULES
from gglib.library.importers.configurations.plan import Leftover
from gglib.library.importers.configurations.profile_names import profile_name

FILTERS = "filters"
"""The name of the profile that has a model's filters."""
_TEMPLATE_KWARGS = "chat_template_kwargs"


@dataclass(frozen=True, slots=True)
class Filtered:
    """The profiles of a model, and the names that requests used for them."""

    profiles: tuple[Profile, ...] = ()
    aliases: tuple[str, ...] = ()
    """Names that are no ``model:profile``: they become aliases, and their fields are not set."""
    leftovers: tuple[Leftover, ...] = ()


@dataclass(frozen=True, slots=True)
class _Base:
    """What all profiles of a model have in common."""

    strip: tuple[str, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def profile(self, name: str, overrides: Mapping[str, Any]) -> Profile:
        """Return a profile that overrides some more fields; no filter of llama-swap changes ``model``."""
        overridden = {**self.overrides, **overrides}
        fields = {key: value for key, value in overridden.items() if key != "model" and value is not None}
        kwargs = fields.pop(_TEMPLATE_KWARGS, {})
        stripped = dict.fromkeys((*self.strip, *fields))
        return Profile(
            name=name,
            defaults=fields,
            template_kwargs=kwargs if isinstance(kwargs, dict) else {},
            strip=tuple(key for key in stripped if key != "model"),
        )


def read_filters(model: Fields, name: str, aliases: Sequence[str]) -> Filtered:
    """Return what the filters of a model become; ``name`` and ``aliases`` are its names. Raises ``MacroError``."""
    fields = model.fields("filters")
    by_id = fields.fields("setParamsByID")
    by_name = {fields.expand(key): by_id.values(key) for key in by_id.nodes}
    base = _Base(_stripped(fields), fields.values("setParams"))
    leftovers = leftovers_of(fields, FILTER_RULES, model=name)
    profiles: list[Profile] = []
    others: list[str] = []
    if base != _Base() or name in by_name:
        profiles.append(base.profile(FILTERS, by_name.pop(name, {})))
        reason = f"requests for '{name}' itself are not filtered"
        leftovers.append(Leftover(fields.where, reason, _use(name, FILTERS)))
    for key, values in by_name.items():
        suffix = _suffix(key, (name, *aliases))
        profile = suffix or profile_name(key)
        profiles.append(base.profile(profile, values))
        if suffix is None:
            others.append(key)
            leftovers.append(Leftover(by_id.where, f"the alias '{key}' sets no fields", _use(name, profile)))
    return _checked(profiles, others, leftovers, fields.where)


def _suffix(key: str, names: Sequence[str]) -> str | None:
    """Return the profile of ``model:profile``; None if the key has another form."""
    owner, _, suffix = key.rpartition(SEPARATOR)
    return suffix if owner in names and suffix and profile_name(suffix) == suffix else None


def _use(model: str, profile: str) -> str:
    return f"clients use the model '{model}{SEPARATOR}{profile}'"


def _stripped(fields: Fields) -> tuple[str, ...]:
    text = fields.text("stripParams") or fields.text("strip_params") or ""
    return tuple(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))


def _checked(
    profiles: Sequence[Profile], aliases: Sequence[str], leftovers: list[Leftover], where: str
) -> Filtered:
    """Return the profiles that gglib accepts, without the fields that no profile may set."""
    kept: list[Profile] = []
    for profile in profiles:
        refused = [name for name in profile.defaults if name in PROTECTED_FIELDS]
        refused += [name for name in profile.strip if name in UNSTRIPPABLE_FIELDS]
        leftovers += [
            Leftover(f"{where} {name}", "a profile cannot set or remove this field") for name in refused
        ]
        possible = _without_protected(profile)
        try:
            check_profile(possible)
        except InvalidSettingError as error:
            leftovers.append(
                Leftover(where, f"the profile '{profile.name}' is not valid: {str(error).rstrip('.')}")
            )
        else:
            kept.append(possible)
    return Filtered(tuple(kept), tuple(aliases), tuple(dict.fromkeys(leftovers)))


def _without_protected(profile: Profile) -> Profile:
    return replace(
        profile,
        defaults={name: value for name, value in profile.defaults.items() if name not in PROTECTED_FIELDS},
        strip=tuple(name for name in profile.strip if name not in UNSTRIPPABLE_FIELDS),
    )
