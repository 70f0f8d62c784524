"""A second model with the file of an earlier one."""

from dataclasses import replace
from pathlib import Path

from gglib.core.models import ModelSettings
from gglib.core.profiles import Profile
from gglib.library.importers.configurations.plan import Leftover, LocalFile, WantedModel
from gglib.library.importers.configurations.same_file import second_model

FIRST = WantedModel(
    where="models.a", name="a", served=LocalFile(Path("m.gguf")), options=(("--threads", "2"),)
)


def test_the_same_model_under_another_name() -> None:
    """Only its names are left."""
    second, left = second_model(replace(FIRST, where="models.b", name="b", aliases=("c",)), FIRST, "own")
    assert (second.options, second.aliases, second.profiles) == ((), ("c",), ())
    assert left == Leftover("models.b", "it has the file of 'own', and becomes its alias")


def test_its_sampling_becomes_a_profile() -> None:
    """Beside its own profiles; other differences are left out."""
    filters = Profile(name="filters")
    options = (("--threads", "2"), ("--temp", "0.2"), ("--mlock",))
    settings = ModelSettings(context=64)
    wanted = replace(FIRST, name="b", options=options, settings=settings, profiles=(filters,))
    second, left = second_model(wanted, FIRST, "a")
    assert (second.options, second.settings) == ((), ModelSettings())
    assert second.profiles == (filters, Profile(name="b", defaults={"temperature": 0.2}))
    assert left.reason == "it has the file of 'a', and becomes its alias without its own settings and options"
    assert left.instead == "clients use the model 'a:b' for its sampling"
