"""What a name means: the order of the kinds of names."""

from collections.abc import Mapping, Sequence

import pytest

from gglib.core.errors import ModelNotFoundError, ProfileNotFoundError
from gglib.core.models import ModelSummary
from gglib.core.profiles import Profile
from gglib.proxy.access.model_filter import ModelFilter
from gglib.proxy.access.visible_catalog import VisibleCatalog
from gglib.proxy.names.aliases import AliasLists
from gglib.proxy.names.resolution import ResolvedName, find_name, one_model_error, require_name
from gglib.testing import FakeCatalog

CHAT = ModelSummary(id=1, name="chat", aliases=("gpt-4",))
CODER = ModelSummary(id=2, name="Org/Coder")
ODD = ModelSummary(id=3, name="gpt-oss")
MODELS = (CHAT, CODER, ODD)
Lists = Mapping[str, Sequence[str]]


async def catalog() -> FakeCatalog:
    """Return a catalogue with a profile of all models."""
    store = FakeCatalog(MODELS)
    await store.edit_profile("precise", None, lambda _: Profile(name="precise"))
    return store


async def find(name: str, lists: Lists, *, with_profiles: bool = True) -> ResolvedName | None:
    """Return what a name means with these alias lists."""
    store = await catalog()
    return await find_name(name, store, AliasLists(lists), store if with_profiles else None)


EVERYTHING = {"*": ["Org/Coder"]}


@pytest.mark.parametrize(
    ("name", "lists", "shown", "models", "alias"),
    [
        # Names of the catalogue come first: exact, alias, number, ignoring case, with a tag.
        ("chat", EVERYTHING, "chat", ["chat"], None),
        ("gpt-4", {"gpt-4": ["Org/Coder"], **EVERYTHING}, "chat", ["chat"], None),
        ("3", {"3x": ["chat"], **EVERYTHING}, "gpt-oss", ["gpt-oss"], None),
        ("CHAT", {"Chat": ["Org/Coder"], **EVERYTHING}, "chat", ["chat"], None),
        ("chat:latest", EVERYTHING, "chat", ["chat"], None),
        ("gpt-oss", {"gpt-*": ["chat"]}, "gpt-oss", ["gpt-oss"], None),
        # Then alias lists.
        ("fast", {"fast": ["none", "chat", "1", "Org/Coder"]}, "fast", ["chat", "Org/Coder"], "fast"),
        ("FAST", {"fast": ["chat"], "fas*": ["Org/Coder"]}, "fast", ["chat"], "fast"),
        ("chat:precise", {"chat:precise": ["Org/Coder"]}, "chat:precise", ["Org/Coder"], "chat:precise"),
        # Then profiles.
        ("gpt-4:precise", {"gpt-4*": ["Org/Coder"], **EVERYTHING}, "chat:precise", ["chat"], None),
        # Then patterns, the most specific first.
        ("gpt-5", {"gpt-*": ["chat"], "*": ["gpt-oss"]}, "gpt-5", ["chat"], "gpt-*"),
        ("GPT-5:latest", {"gpt-*": ["chat"]}, "GPT-5:latest", ["chat"], "gpt-*"),
        (
            "gpt-5",
            {"gpt-*": ["chat"], "gpt-5*": ["Org/Coder", "chat"]},
            "gpt-5",
            ["Org/Coder", "chat"],
            "gpt-5*",
        ),
        ("gpt-5", {"*-5": ["none"], "gpt*": ["chat"]}, "gpt-5", ["chat"], "gpt*"),
        ("gpt-5", {"gpt-5*": ["none"], "gpt-*": ["chat"]}, "gpt-5", ["chat"], "gpt-*"),
        ("lost", {"lost": ["none"], **EVERYTHING}, "lost", ["Org/Coder"], "*"),
        ("chat:none", EVERYTHING, "chat:none", ["Org/Coder"], "*"),
    ],
)
async def test_the_first_kind_of_name_that_applies_decides(
    name: str, lists: Lists, shown: str, models: list[str], alias: str | None
) -> None:
    """The name for clients, the models in the order of preference, and the entry."""
    found = await find(name, lists)
    assert found is not None
    assert (found.name, [model.name for model in found.models], found.alias) == (shown, models, alias)
    assert (found.profile is not None) is (shown == "chat:precise" and alias is None)


@pytest.mark.parametrize(
    ("name", "lists"),
    [
        ("gone", {}),
        ("gone", {"gone": ["none"], "g*": ["none"]}),
        ("gpt", {"gpt-*": ["chat"]}),
        ("gpt-*x", {"gpt-x": ["chat"]}),
        ("claude-x", {}),
    ],
)
async def test_other_names_mean_nothing(name: str, lists: Lists) -> None:
    """Names that start with ``claude-`` mean something to requests only."""
    assert await find(name, lists) is None


async def test_without_profiles_a_pattern_may_match() -> None:
    """A proxy without profiles has no name with one."""
    found = await find("chat:precise", EVERYTHING, with_profiles=False)
    assert found is not None
    assert found.alias == "*"


@pytest.mark.parametrize("name", ["gpt-5", "both", "Org/Coder", "2", "Org/Coder:precise", "gpt-oss"])
async def test_a_hidden_model_is_not_reached(name: str) -> None:
    """A key that may use one model gets no other one by any kind of name."""
    store = await catalog()
    visible = VisibleCatalog(store, ModelFilter(["chat"]))
    lists = AliasLists({"gpt-*": ["Org/Coder"], "both": ["Org/Coder", "gpt-oss"]})
    assert await find_name(name, visible, lists, store) is None
    shared = AliasLists({"gpt-*": ["Org/Coder", "chat"], "both": ["Org/Coder", "chat"], "*": ["chat"]})
    found = await find_name(name, visible, shared, store)
    assert found is not None
    assert found.models == (CHAT,)


async def test_an_unknown_name_is_an_error_with_similar_names() -> None:
    """Aliases are among them, patterns are not."""
    store = await catalog()
    lists = AliasLists({"faster": ["chat"], "fastest-*": ["chat"]})
    with pytest.raises(ModelNotFoundError, match=r"'fastes' is not in the catalogue\. Did you mean faster\?"):
        await require_name("fastes", store, lists, store)
    with pytest.raises(ProfileNotFoundError, match="It has precise"):
        await require_name("chat:none", store, lists, store)
    assert (await require_name("FASTER", store, lists, store)).name == "faster"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Fast", "'fast' is an alias list: use one of its models, chat, Org/Coder."),
        ("gpt-5", "'gpt-5' matches the alias 'gpt-*': use one of its models, chat."),
        ("none", "Model 'none' is not in the catalogue."),
        ("chat", "Model 'chat' is not in the catalogue."),
    ],
)
async def test_an_operation_on_one_model_names_the_models_of_an_alias(name: str, message: str) -> None:
    """Any other error stays."""
    lists = AliasLists({"fast": ["chat", "Org/Coder"], "gpt-*": ["chat"]})
    error = await one_model_error(ModelNotFoundError(name), await catalog(), lists)
    assert str(error).startswith(message)
