"""The fake catalogue keeps the contract of the store port."""

from pathlib import Path

import pytest

from gglib.core.errors import CatalogError, ModelExistsError
from gglib.core.models import GgufFacts, ModelEdit, ModelSettings, ModelSummary, NewModel
from gglib.testing import FakeCatalog


def new_model(name: str, *, aliases: tuple[str, ...] = (), path: str | None = None) -> NewModel:
    """Return a model to add; its file is named after it."""
    return NewModel(
        name=name,
        aliases=aliases,
        paths=(Path(path or f"/models/{name}.gguf"),),
        size_bytes=7,
        facts=GgufFacts(architecture="llama", trained_context=2048),
    )


async def test_an_added_model_is_found_with_its_facts() -> None:
    """What was added is listed, resolved and ready for launch."""
    catalog = FakeCatalog()
    added = await catalog.add_model(new_model("a", aliases=("b",)))
    assert await catalog.list_models() == [added]
    assert await catalog.resolve_model("b") == added
    spec = await catalog.resolve_for_launch("A")
    assert spec is not None
    assert (spec.path, spec.size_bytes, spec.trained_context) == (Path("/models/a.gguf"), 7, 2048)


async def test_a_model_without_paths_launches_from_a_path_that_does_not_exist() -> None:
    """A summary with id and name only still gives a launch spec, and no engine could open its file."""
    spec = await FakeCatalog([ModelSummary(id=4, name="a")]).resolve_for_launch("a")
    assert spec is not None
    assert (spec.model_id, spec.path) == (4, Path("/nonexistent/model.gguf"))


@pytest.mark.parametrize(
    "second",
    [
        new_model("A"),
        new_model("B"),
        new_model("c", aliases=("A",)),
        new_model("c", aliases=("B",)),
        new_model("c", path="/models/a.gguf"),
    ],
    ids=["name", "name-is-alias", "alias-is-name", "alias", "path"],
)
async def test_a_taken_name_alias_or_path_is_refused(second: NewModel) -> None:
    """Names and aliases share one space, ignoring case; a file is in the catalogue once."""
    catalog = FakeCatalog()
    await catalog.add_model(new_model("a", aliases=("b",)))
    with pytest.raises(ModelExistsError):
        await catalog.add_model(second)
    assert len(await catalog.list_models()) == 1


async def test_ids_are_never_used_again() -> None:
    """The id of a removed model does not come back."""
    catalog = FakeCatalog()
    first = await catalog.add_model(new_model("a"))
    assert await catalog.remove_model("a") == first
    assert (await catalog.add_model(new_model("a"))).id > first.id
    assert await catalog.remove_model("gone") is None


async def test_a_change_replaces_only_what_is_given() -> None:
    """None leaves a value; a model may keep its own alias, and may not take another's."""
    catalog = FakeCatalog([ModelSummary(id=1, name="a", aliases=("x",)), ModelSummary(id=2, name="b")])
    changed = await catalog.edit_model(
        "a", lambda _: ModelEdit(aliases=("x", "y"), settings=ModelSettings(context=64))
    )
    assert changed is not None
    assert changed.aliases == ("x", "y")
    assert changed.settings.context == 64
    tagged = await catalog.edit_model("a", lambda _: ModelEdit(tags=("t",)))
    assert tagged is not None
    assert (tagged.tags, tagged.aliases) == (("t",), ("x", "y"))
    with pytest.raises(ModelExistsError):
        await catalog.edit_model("b", lambda _: ModelEdit(aliases=("Y",)))
    assert await catalog.edit_model("gone", lambda _: ModelEdit(tags=())) is None


async def test_a_failure_is_raised_by_every_method_until_it_is_lifted() -> None:
    """``fails_with`` stands for a catalogue that itself failed."""
    catalog = FakeCatalog([ModelSummary(id=1, name="a")], fails_with=CatalogError("The disk is gone."))
    for call in (
        catalog.list_models(),
        catalog.resolve_model("a"),
        catalog.resolve_for_launch("a"),
        catalog.add_model(new_model("b")),
        catalog.remove_model("a"),
        catalog.edit_model("a", lambda _: ModelEdit(tags=())),
        catalog.list_versions(),
        catalog.assign_version(1, 1),
        catalog.retire_unused([1]),
        catalog.remove_with_version(1),
        catalog.forget_files(1, []),
        catalog.update_identities({}),
        catalog.list_pulls(),
        catalog.end_pull("k"),
        catalog.read_home(),
    ):
        with pytest.raises(CatalogError):
            await call
    catalog.fails_with = None
    assert len(await catalog.list_models()) == 1
