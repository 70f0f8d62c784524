"""llama-swap's filters as profiles."""

import pytest

from gglib.core.profiles import Profile
from gglib.library.importers.configurations.files.documents import Fields
from gglib.library.importers.configurations.files.yaml_files import read_yaml
from gglib.library.importers.configurations.llama_swap.filters import Filtered, read_filters
from gglib.library.importers.configurations.llama_swap.macros import Macros


def filtered(filters: str) -> Filtered:
    """Return what the filters of the model ``m``, alias ``n``, become."""
    fields = read_yaml(f"filters: {filters}", "c.yaml")
    expand = Macros({"MODEL_ID": "m", "temp": "0.5"}, {}).expand
    return read_filters(Fields("c.yaml", "models.m", fields.nodes, expand), "m", ("n",))


def reasons(found: Filtered) -> list[tuple[str, str]]:
    """Return place and reason of what is left out."""
    return [(each.where, each.reason) for each in found.leftovers]


@pytest.mark.parametrize("filters", ["{}", "", "{stripParams: ' , '}"])
def test_no_filters(filters: str) -> None:
    """There is no profile."""
    assert filtered(filters) == Filtered()


def test_stripped_and_set_fields_are_one_profile() -> None:
    """A field that is set is stripped, too: llama-swap overrides what a request has."""
    found = filtered("{stripParams: 'top_k, top_p,top_k', setParams: {temperature: '${temp}', stop: [x]}}")
    assert found.profiles == (
        Profile(
            name="filters",
            defaults={"temperature": 0.5, "stop": ["x"]},
            strip=("top_k", "top_p", "temperature", "stop"),
        ),
    )
    assert reasons(found) == [("models.m.filters", "requests for 'm' itself are not filtered")]
    assert found.leftovers[0].instead == "clients use the model 'm:filters'"


def test_names_become_profiles() -> None:
    """``MODEL:NAME`` and ``ALIAS:NAME`` keep working; another name becomes an alias, which cannot set fields."""
    found = filtered(
        "{setParams: {seed: 1}, setParamsByID: {'${MODEL_ID}': {seed: 2}, '${MODEL_ID}:high': {top_k: 1}, "
        "'n:low': {seed: 3}, other: {seed: 4}}}"
    )
    assert {profile.name: dict(profile.defaults) for profile in found.profiles} == {
        "filters": {"seed": 2},
        "high": {"seed": 1, "top_k": 1},
        "low": {"seed": 3},
        "other": {"seed": 4},
    }
    assert found.aliases == ("other",)
    assert ("models.m.filters.setParamsByID", "the alias 'other' sets no fields") in reasons(found)


def test_arguments_of_the_template_are_their_own_part() -> None:
    """They replace those of a request."""
    (profile,) = filtered("{setParams: {chat_template_kwargs: {enable_thinking: false}}}").profiles
    assert profile.template_kwargs == {"enable_thinking": False}
    assert profile.defaults == {}


def test_fields_that_no_profile_may_have_are_listed() -> None:
    """The others are kept; ``model`` is never changed by llama-swap, and null sets nothing."""
    found = filtered("{stripParams: 'stream,model', setParams: {messages: [], model: x, seed: ~, top_k: 1}}")
    assert found.profiles == (Profile(name="filters", defaults={"top_k": 1}, strip=("top_k",)),)
    refused = "a profile cannot set or remove this field"
    assert ("models.m.filters messages", refused) in reasons(found)
    assert ("models.m.filters stream", refused) in reasons(found)


def test_an_invalid_value_is_listed() -> None:
    """Such a profile would fail each request."""
    found = filtered("{setParams: {temperature: 99}}")
    assert found.profiles == ()
    assert reasons(found)[-1][1] == (
        "the profile 'filters' is not valid: 'temperature' must be a number from 0 to 5"
    )
