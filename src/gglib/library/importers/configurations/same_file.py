"""A second model of a configuration with the file of an earlier one. Pure.

A file is one model of the catalogue: the second model becomes an alias, and its sampling a profile.
"""

from dataclasses import replace

from gglib.core.models import ModelSettings
from gglib.library.importers.configurations.plan import Leftover, WantedModel
from gglib.library.importers.configurations.profile_names import profile_name
from gglib.library.importers.configurations.sampling_profiles import sampling_profile


def second_model(wanted: WantedModel, first: WantedModel, name: str) -> tuple[WantedModel, Leftover]:
    """Return a model as what the catalogue can have of it, names and profiles, and what is left out.

    ``first`` is the earlier model with its file, and ``name`` that one's name in the catalogue.
    """
    differing = [option for option in wanted.options if option not in first.options]
    sampling, others = sampling_profile(profile_name(wanted.name), differing)
    reason = f"it has the file of '{name}', and becomes its alias"
    if others or wanted.settings != first.settings:
        reason += " without its own settings and options"
    instead = f"clients use the model '{name}:{sampling.name}' for its sampling" if sampling else None
    profiles = (*wanted.profiles, *([sampling] if sampling else []))
    second = replace(wanted, settings=ModelSettings(), options=(), profiles=profiles)
    return second, Leftover(wanted.where, reason, instead)
