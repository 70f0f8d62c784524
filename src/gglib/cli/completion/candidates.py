"""The candidates of a word, from what is known of this home. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

SEPARATOR = ":"
"""``gglib.core.profiles.SEPARATOR``, whose module takes a third of the time of a TAB to import."""
QUANTIZATIONS = (
    "Q4_K_M",
    "Q4_K_S",
    "Q4_0",
    "Q5_K_M",
    "Q5_K_S",
    "Q6_K",
    "Q8_0",
    "MXFP4",
    "UD-Q4_K_XL",
    "IQ4_XS",
    "IQ4_NL",
    "Q3_K_L",
    "Q3_K_M",
    "Q3_K_S",
    "IQ3_M",
    "Q2_K",
    "BF16",
    "F16",
    "F32",
)
"""The usual quantizations on the hub, first those that suit most machines. Which of them a repository has is known only
after a request, which a TAB does not send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeNames:
    """The names of a home."""

    names: tuple[str, ...] = ()
    """Of the models, in the order of ``gglib list``."""
    aliases: tuple[str, ...] = ()
    """Of models, and of the settings' lists; without patterns."""
    profiles: tuple[tuple[str, str | None], ...] = ()
    """The name of each profile, and that of its model; None: of all models."""
    repositories: tuple[str, ...] = ()
    """The sources of the models on the hub."""
    keys: tuple[str, ...] = ()
    """The names of the access keys."""
    nodes: tuple[str, ...] = ()
    """The names of the nodes."""
    engines: tuple[str, ...] = ()
    """The names of the installed engines."""


def matching(values: Iterable[str], incomplete: str) -> list[str]:
    """Return the values that begin with the text, without duplicates; ignoring case if there are none otherwise."""
    values = list(dict.fromkeys(values))
    exact = [value for value in values if value.startswith(incomplete)]
    folded = incomplete.casefold()
    return exact or [value for value in values if value.casefold().startswith(folded)]


def model_names(home: HomeNames, incomplete: str) -> list[str]:
    """Return names and aliases of models; after a name and a ``:``, those with its profiles, too."""
    plain = (*home.names, *home.aliases)
    typed, separator, _ = incomplete.rpartition(SEPARATOR)
    profiled = [
        f"{model}{SEPARATOR}{profile}"
        for profile, owner in home.profiles
        for model in (plain if owner is None else (owner,))
        if separator and model.casefold() == typed.casefold()
    ]
    return matching((*plain, *profiled), incomplete)


def pull_targets(home: HomeNames, incomplete: str) -> list[str]:
    """Return the repositories of known models; after a ``:``, the usual quantizations."""
    repository, separator, _ = incomplete.partition(SEPARATOR)
    if not separator or "://" in incomplete:
        return matching(home.repositories, incomplete)
    return matching((f"{repository}{SEPARATOR}{label}" for label in QUANTIZATIONS), incomplete)
