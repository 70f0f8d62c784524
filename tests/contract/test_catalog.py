"""The contract of every catalogue: the same tests for SQLite and for the fake."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.backends import Backend, CommandBackend, UrlBackend
from gglib.core.errors import InvalidSettingError, ModelExistsError
from gglib.core.models import (
    GgufFacts,
    ModelCapabilities,
    ModelEdit,
    ModelLaunchSpec,
    ModelSettings,
    ModelSource,
    ModelSummary,
    NewModel,
)
from gglib.core.ports.catalog import EditModel, ModelStorePort
from gglib.core.priority import Priority
from gglib.db import SqliteCatalog
from gglib.testing import FakeCatalog


@pytest.fixture(params=["sqlite", "fake"])
async def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ModelStorePort]:
    """Return an empty catalogue."""
    if request.param == "fake":
        yield FakeCatalog()
        return
    async with SqliteCatalog(tmp_path / "gglib.db") as opened:
        yield opened


def new_model(
    name: str, *, aliases: tuple[str, ...] = (), path: str | None = None, tags: tuple[str, ...] = ()
) -> NewModel:
    """Return a model with its own file, or with ``path``."""
    return NewModel(
        name=name,
        aliases=aliases,
        tags=tags,
        paths=(Path(path or f"/models/{name}.gguf"),),
        size_bytes=7,
        facts=GgufFacts(architecture="llama"),
    )


BACKENDS = (
    CommandBackend(argv=("serve", "--port", "{port}")),
    CommandBackend(
        argv=("/opt/a b/serve", '--kwargs={{"a": "ä"}}', ""),
        health_path="/v1/health",
        routes=("/v1/audio/transcriptions", "/v1/images/*"),
        stop_signal="INT",
        memory=(("ram", 1_000_000_000), ("gpu0", 8_000_000_000)),
        directory=Path(os.fsdecode(b"/srv/\xff")),
    ),
    UrlBackend(base_url="http://box:8000/v1"),
    UrlBackend(base_url="https://[::1]:8000", key_env="BOX_KEY", model="other/name", routes=("/v1/*",)),
)

FULL = NewModel(
    name="Qwen/Qwen3-8B:Q4_K_M",
    aliases=("qwen", "Ä"),
    description="Eight billion, and a ' quote",
    paths=(Path("/m/a b-00001-of-00002.gguf"), Path("/m/a b-00002-of-00002.gguf")),
    size_bytes=5_000_000_000,
    facts=GgufFacts(
        architecture="qwen3",
        parameter_count=8_190_735_360,
        quantization="Q4_K_M",
        trained_context=40_960,
        block_count=36,
        chat_template="{{ messages }}",
        capabilities=ModelCapabilities(chat=True, tools=True, embedding=True),
    ),
    tags=("work", "big"),
    settings=ModelSettings(
        context=16_384,
        engine_args=("--flash-attn", "on"),
        idle_ttl_s=1.5,
        is_pinned=True,
        priority=Priority.BATCH,
        keep_conversations=False,
    ),
    source=ModelSource(
        origin="hub", repo="Qwen/Qwen3-8B-GGUF", revision="abc", file="a b.gguf", sha256="00ff"
    ),
    hashes=("00ff", None),
    projector=Path("/m/mmproj ä.gguf"),
    projector_sha256="aa" * 32,
    is_downloaded=True,
)


class TestReading:
    async def test_lists_nothing_when_empty(self, catalog: ModelStorePort) -> None:
        """A new catalogue has no models."""
        assert await catalog.list_models() == []

    async def test_lists_in_order_of_addition(self, catalog: ModelStorePort) -> None:
        """Models are listed in the order in which they were added, not by name."""
        for name in ("zeta", "alpha", "mid"):
            await catalog.add_model(new_model(name))
        assert [model.name for model in await catalog.list_models()] == ["zeta", "alpha", "mid"]

    async def test_the_list_belongs_to_the_caller(self, catalog: ModelStorePort) -> None:
        """A caller that changes the returned list changes nothing in the catalogue."""
        await catalog.add_model(new_model("a"))
        (await catalog.list_models()).clear()
        assert len(await catalog.list_models()) == 1

    async def test_every_field_is_read_back(self, catalog: ModelStorePort) -> None:
        """An added model is listed with the same fields."""
        added = await catalog.add_model(FULL)
        (listed,) = await catalog.list_models()
        assert listed == added
        assert (listed.name, listed.aliases, listed.description) == (
            FULL.name,
            FULL.aliases,
            FULL.description,
        )
        assert (listed.paths, listed.size_bytes, listed.tags) == (FULL.paths, FULL.size_bytes, FULL.tags)
        assert (listed.settings, listed.source) == (FULL.settings, FULL.source)
        assert (listed.architecture, listed.quantization) == ("qwen3", "Q4_K_M")
        assert (listed.parameter_count, listed.trained_context) == (8_190_735_360, 40_960)
        assert listed.capabilities == FULL.facts.capabilities
        assert (listed.hashes, listed.is_downloaded) == (FULL.hashes, True)
        assert (listed.projector, listed.projector_sha256) == (FULL.projector, FULL.projector_sha256)
        assert listed.chat_template_sha256 == hashlib.sha256(b"{{ messages }}").hexdigest()
        assert listed.last_used_at is None

    async def test_unknown_values_are_empty(self, catalog: ModelStorePort) -> None:
        """Files without a known hash have no hashes, in either notation; without a template there is no hash."""
        added = await catalog.add_model(replace(new_model("a"), hashes=(None,)))
        assert (added.hashes, added.projector, added.is_downloaded) == ((), None, False)
        assert added.chat_template_sha256 is None

    @pytest.mark.parametrize(
        ("name", "found"),
        [
            ("Org/Model:Q4", "Org/Model:Q4"),  # the exact name
            ("short", "Org/Model:Q4"),  # an alias
            ("2", "Org/Model:Q4"),  # the id
            ("org/MODEL:q4", "Org/Model:Q4"),  # a name, ignoring case
            ("SHORT", "Org/Model:Q4"),  # an alias, ignoring case
            ("02", None),
            ("3", None),
            ("Model:Q4", None),
            ("", None),
        ],
    )
    async def test_resolves_names(self, catalog: ModelStorePort, name: str, found: str | None) -> None:
        """A model is found by its name, an alias or its id, ignoring case; else the result is None."""
        await catalog.add_model(new_model("first"))
        await catalog.add_model(new_model("Org/Model:Q4", aliases=("short",)))
        model = await catalog.resolve_model(name)
        spec = await catalog.resolve_for_launch(name)
        assert (None if model is None else model.name) == found
        assert (None if spec is None else spec.model_name) == found

    async def test_launch_spec(self, catalog: ModelStorePort) -> None:
        """The launch spec has the first shard, whether or not it exists, and all that the start depends on."""
        added = await catalog.add_model(FULL)
        assert await catalog.resolve_for_launch("qwen") == ModelLaunchSpec(
            model_id=added.id,
            model_name=FULL.name,
            path=FULL.paths[0],
            size_bytes=FULL.size_bytes,
            trained_context=40_960,
            architecture="qwen3",
            capabilities=FULL.facts.capabilities,
            settings=FULL.settings,
            projector=FULL.projector,
            paths=FULL.paths,
        )


class TestAdding:
    @pytest.mark.parametrize(
        "clash",
        [
            new_model("taken", path="/other"),
            new_model("TAKEN", path="/other"),
            new_model("ALSO", path="/other"),
            new_model("b", aliases=("x", "Taken")),
            new_model("b", aliases=("also",)),
            new_model("b", aliases=("straße",)),  # folds to the same as STRASSE
            new_model("b", path="/models/taken.gguf"),
        ],
    )
    async def test_refuses_taken_names_and_files(self, catalog: ModelStorePort, clash: NewModel) -> None:
        """Names and aliases are one namespace that ignores case, and a file belongs to one model."""
        await catalog.add_model(new_model("taken", aliases=("also", "STRASSE")))
        with pytest.raises(ModelExistsError):
            await catalog.add_model(clash)
        assert [model.name for model in await catalog.list_models()] == ["taken"]

    async def test_ids_are_never_reused(self, catalog: ModelStorePort) -> None:
        """The id of a removed model is never reused, so that a client that still has it gets no other model."""
        await catalog.add_model(new_model("a"))
        last = await catalog.add_model(new_model("b"))
        await catalog.remove_model("b")
        assert (await catalog.add_model(new_model("b"))).id > last.id

    async def test_models_may_share_a_projector(self, catalog: ModelStorePort) -> None:
        """Two quantizations of one repository can share a projector."""
        shared = Path("/models/mmproj.gguf")
        for name in ("q4", "q8"):
            await catalog.add_model(replace(new_model(name), projector=shared))
        assert [model.projector for model in await catalog.list_models()] == [shared, shared]


class TestRemoving:
    async def test_returns_the_removed_model(self, catalog: ModelStorePort) -> None:
        """Removing returns the model unchanged, and then nothing finds it."""
        added = await catalog.add_model(FULL)
        assert await catalog.remove_model("QWEN") == added
        assert await catalog.list_models() == []
        assert await catalog.resolve_model("qwen") is None
        assert await catalog.resolve_for_launch(str(added.id)) is None

    async def test_unknown_is_none(self, catalog: ModelStorePort) -> None:
        """Removing a missing model returns None and keeps the others."""
        await catalog.add_model(new_model("a"))
        assert await catalog.remove_model("b") is None
        assert len(await catalog.list_models()) == 1

    async def test_frees_names_and_files(self, catalog: ModelStorePort) -> None:
        """A removed model's name, aliases and file can be used again."""
        await catalog.add_model(FULL)
        await catalog.remove_model(FULL.name)
        assert (await catalog.add_model(FULL)).aliases == FULL.aliases


class TestChanging:
    async def test_replaces_given_fields(self, catalog: ModelStorePort) -> None:
        """Aliases, tags and settings are replaced as wholes; the new model is returned and listed."""
        await catalog.add_model(FULL)
        changed = await catalog.edit_model(
            "qwen",
            lambda _: ModelEdit(aliases=("Ä", "q8"), tags=("new",), settings=ModelSettings(context=512)),
        )
        assert changed is not None
        assert await catalog.list_models() == [changed]
        assert (changed.aliases, changed.tags) == (("Ä", "q8"), ("new",))
        assert changed.settings == ModelSettings(context=512)
        assert await catalog.resolve_model("qwen") is None
        assert await catalog.resolve_model("q8") == changed

    async def test_keeps_omitted_fields(self, catalog: ModelStorePort) -> None:
        """None means unchanged, and an empty tuple removes all."""
        added = await catalog.add_model(FULL)
        assert await catalog.edit_model(FULL.name, lambda _: ModelEdit()) == added
        changed = await catalog.edit_model(FULL.name, lambda _: ModelEdit(aliases=()))
        assert changed is not None
        assert (changed.aliases, changed.tags, changed.settings) == ((), FULL.tags, FULL.settings)

    async def test_renames(self, catalog: ModelStorePort) -> None:
        """The id and the aliases stay, and the old name is free."""
        added = await catalog.add_model(FULL)
        changed = await catalog.edit_model(FULL.name, lambda _: ModelEdit(name="new"))
        assert changed == replace(added, name="new")
        assert await catalog.list_models() == [changed]
        assert await catalog.resolve_model(FULL.name) is None
        assert await catalog.resolve_model("new") == changed
        spec = await catalog.resolve_for_launch("new")
        assert spec is not None
        assert (spec.model_id, spec.model_name) == (added.id, "new")

    async def test_a_new_name_may_be_an_own_alias_and_the_old_one_become_one(
        self, catalog: ModelStorePort
    ) -> None:
        """A name that becomes the model's own is no alias any more."""
        await catalog.add_model(new_model("a", aliases=("B", "c")))
        changed = await catalog.edit_model("a", lambda _: ModelEdit(name="b"))
        assert changed is not None
        assert (changed.name, changed.aliases) == ("b", ("c",))
        changed = await catalog.edit_model("b", lambda _: ModelEdit(name="A", aliases=("b",)))
        assert changed is not None
        assert (changed.name, changed.aliases) == ("A", ("b",))
        changed = await catalog.edit_model("b", lambda _: ModelEdit(name="a"))
        assert changed is not None
        assert (changed.name, changed.aliases) == ("a", ("b",))

    @pytest.mark.parametrize("taken", ["b", "BETA"])
    async def test_a_taken_name_changes_nothing(self, catalog: ModelStorePort, taken: str) -> None:
        """Neither the name nor an alias of another model, ignoring case."""
        before = await catalog.add_model(new_model("a", aliases=("alpha",)))
        await catalog.add_model(new_model("b", aliases=("beta",)))
        with pytest.raises(ModelExistsError):
            await catalog.edit_model("a", lambda _: ModelEdit(name=taken))
        assert await catalog.resolve_model("a") == before

    @pytest.mark.parametrize(
        ("edit", "error"),
        [
            (ModelEdit(name="7"), InvalidSettingError),
            (ModelEdit(name=" x"), InvalidSettingError),
            (ModelEdit(aliases=("alpha", "7")), InvalidSettingError),
            (ModelEdit(aliases=("x", "X")), ModelExistsError),
            (ModelEdit(name="Alpha", aliases=("alpha",)), ModelExistsError),
            (ModelEdit(name="b", aliases=("alpha", "B")), ModelExistsError),
        ],
    )
    async def test_names_that_a_model_cannot_have_change_nothing(
        self, catalog: ModelStorePort, edit: ModelEdit, error: type[Exception]
    ) -> None:
        """Numbers, padding, and a name twice: also a new name that is among the aliases, which stay as they are."""
        before = await catalog.add_model(new_model("a", aliases=("alpha",)))
        with pytest.raises(error):
            await catalog.edit_model("a", lambda _: edit)
        assert await catalog.resolve_model("a") == before

    @pytest.mark.parametrize("backend", BACKENDS)
    async def test_the_backend_of_a_model_can_be_replaced(
        self, catalog: ModelStorePort, backend: Backend
    ) -> None:
        """It replaces the former one; an edit without a backend keeps it."""
        added = await catalog.add_model(replace(new_model("a"), paths=(), backend=BACKENDS[0]))
        changed = await catalog.edit_model("a", lambda _: ModelEdit(backend=backend))
        assert changed == replace(added, backend=backend)
        assert await catalog.edit_model("a", lambda _: ModelEdit(tags=("x",))) == replace(
            changed, tags=("x",)
        )

    async def test_unknown_is_none(self, catalog: ModelStorePort) -> None:
        """Changing what is not there is None."""
        assert await catalog.edit_model("nobody", lambda _: ModelEdit(tags=("x",))) is None

    async def test_a_taken_alias_changes_nothing(self, catalog: ModelStorePort) -> None:
        """An alias that another model has is refused, and then the rest of the change does not happen either."""
        await catalog.add_model(new_model("a"))
        before = await catalog.add_model(new_model("b", aliases=("beta",), tags=("t",)))
        with pytest.raises(ModelExistsError):
            await catalog.edit_model(
                "b", lambda _: ModelEdit(aliases=("new", "A"), tags=(), settings=ModelSettings(context=1))
            )
        assert await catalog.resolve_model("b") == before

    async def test_concurrent_edits_are_all_applied(self, catalog: ModelStorePort) -> None:
        """Edits of many tasks at once, each of one field, are all present afterwards."""
        await catalog.add_model(replace(FULL, settings=ModelSettings()))
        edits: list[EditModel] = [
            lambda now: ModelEdit(settings=replace(now.settings, context=512)),
            lambda now: ModelEdit(settings=replace(now.settings, idle_ttl_s=5.0)),
            lambda now: ModelEdit(settings=replace(now.settings, engine_args=("--mlock",))),
            lambda now: ModelEdit(aliases=(*now.aliases, "x")),
            lambda now: ModelEdit(aliases=tuple(alias for alias in now.aliases if alias != "Ä")),
            lambda now: ModelEdit(tags=(*now.tags, "new")),
        ]
        await asyncio.gather(*(catalog.edit_model("qwen", edit) for edit in edits))
        (model,) = await catalog.list_models()
        assert model.settings == ModelSettings(context=512, idle_ttl_s=5.0, engine_args=("--mlock",))
        assert (model.aliases, model.tags) == (("qwen", "x"), ("work", "big", "new"))

    @pytest.mark.parametrize(
        "error", [ValueError("a"), OSError("b"), KeyError("c"), InvalidSettingError("d")]
    )
    async def test_error_of_an_edit_is_raised(self, catalog: ModelStorePort, error: Exception) -> None:
        """An edit that fails changes nothing, and its error is no failure of the catalogue."""
        added = await catalog.add_model(FULL)

        def fail(_: ModelSummary) -> ModelEdit:
            raise error

        with pytest.raises(type(error)) as caught:
            await catalog.edit_model("qwen", fail)
        assert caught.value is error
        assert await catalog.list_models() == [added]


NEWER = NewModel(
    name="never looked at",
    aliases=("neither",),
    tags=("nor this",),
    description="Newer",
    settings=ModelSettings(context=1),
    paths=(Path("/m/new.gguf"), FULL.paths[1]),
    size_bytes=6,
    facts=GgufFacts(architecture="qwen4", chat_template="new", capabilities=ModelCapabilities(vision=True)),
    source=ModelSource(origin="hub", repo="Qwen/Qwen3-8B-GGUF", revision="def"),
    hashes=("11" * 32, "22" * 32),
)


class TestReplacing:
    async def test_replaces_files_and_facts(self, catalog: ModelStorePort) -> None:
        """A newer version replaces files, facts and source, even if it shares a file with the old one."""
        added = await catalog.add_model(FULL)
        replaced = await catalog.replace_model("qwen", NEWER)
        assert replaced is not None
        assert await catalog.list_models() == [replaced]
        assert (replaced.paths, replaced.hashes, replaced.size_bytes) == (NEWER.paths, NEWER.hashes, 6)
        assert (replaced.architecture, replaced.capabilities) == ("qwen4", NEWER.facts.capabilities)
        assert (replaced.source, replaced.description) == (NEWER.source, "Newer")
        assert (replaced.projector, replaced.projector_sha256, replaced.is_downloaded) == (None, None, False)
        assert replaced.chat_template_sha256 != added.chat_template_sha256
        spec = await catalog.resolve_for_launch("qwen")
        assert spec is not None
        assert (spec.path, spec.projector) == (NEWER.paths[0], None)

    async def test_keeps_the_settings_of_the_user(self, catalog: ModelStorePort) -> None:
        """Id, names, tags, settings and dates are kept for clients that know the model."""
        added = await catalog.add_model(FULL)
        await catalog.note_use({added.id: 1_800_000_000})
        replaced = await catalog.replace_model(FULL.name, NEWER)
        assert replaced is not None
        assert (replaced.id, replaced.name, replaced.aliases) == (added.id, FULL.name, FULL.aliases)
        assert (replaced.tags, replaced.settings) == (FULL.tags, FULL.settings)
        assert (replaced.added_at, replaced.last_used_at) == (added.added_at, 1_800_000_000)
        assert await catalog.resolve_model("neither") is None

    async def test_refuses_the_file_of_another_model(self, catalog: ModelStorePort) -> None:
        """A path that another model has is refused, and then nothing has changed."""
        await catalog.add_model(new_model("other", path="/m/new.gguf"))
        added = await catalog.add_model(FULL)
        with pytest.raises(ModelExistsError):
            await catalog.replace_model("qwen", NEWER)
        assert await catalog.resolve_model("qwen") == added

    async def test_frees_the_old_files(self, catalog: ModelStorePort) -> None:
        """A former file of a model can be added as another model."""
        await catalog.add_model(FULL)
        await catalog.replace_model("qwen", NEWER)
        again = await catalog.add_model(new_model("old", path=str(FULL.paths[0])))
        assert again.paths == FULL.paths[:1]

    async def test_unknown_is_none(self, catalog: ModelStorePort) -> None:
        """Replacing what is not there adds nothing."""
        assert await catalog.replace_model("nobody", NEWER) is None
        assert await catalog.list_models() == []


class TestKinds:
    async def test_the_kind_set_by_the_user_overrides_the_header(self, catalog: ModelStorePort) -> None:
        """A model is shown and launched with the user's kind, and with the header's when that is unset."""
        added = await catalog.add_model(FULL)
        changed = await catalog.edit_model(
            "qwen", lambda _: ModelEdit(settings=replace(FULL.settings, kind="rerank"))
        )
        assert changed is not None
        assert (changed.capabilities, changed.detected) == (
            ModelCapabilities(rerank=True),
            FULL.facts.capabilities,
        )
        assert await catalog.list_models() == [changed]
        spec = await catalog.resolve_for_launch("qwen")
        assert spec is not None
        assert (spec.capabilities, spec.pooling) == (ModelCapabilities(rerank=True), "rank")
        assert await catalog.edit_model("qwen", lambda _: ModelEdit(settings=FULL.settings)) == added

    async def test_the_kind_is_stored_with_a_new_model(self, catalog: ModelStorePort) -> None:
        """A model that is added as a reranker is one from then on; its header's pooling is kept."""
        facts = GgufFacts(architecture="bert", capabilities=ModelCapabilities(embedding=True), pooling="cls")
        added = await catalog.add_model(
            replace(new_model("a"), facts=facts, settings=ModelSettings(kind="rerank"))
        )
        assert (added.capabilities.names(), added.pooling, added.settings.kind) == (
            ("rerank",),
            "cls",
            "rerank",
        )
        back = await catalog.edit_model("a", lambda _: ModelEdit(settings=ModelSettings()))
        assert back is not None
        spec = await catalog.resolve_for_launch("a")
        assert spec is not None
        assert (back.capabilities.names(), spec.pooling) == (("embedding",), "cls")

    async def test_a_newer_version_keeps_the_kind(self, catalog: ModelStorePort) -> None:
        """Replaced files keep the kind that the user set."""
        await catalog.add_model(replace(FULL, settings=ModelSettings(kind="embedding")))
        replaced = await catalog.replace_model("qwen", NEWER)
        assert replaced is not None
        assert replaced.settings.kind == "embedding"
        assert replaced.capabilities == ModelCapabilities(embedding=True)
        assert replaced.detected == NEWER.facts.capabilities

    async def test_facts_of_a_reranker_are_read_back(self, catalog: ModelStorePort) -> None:
        """The capability and the pooling of a header are stored."""
        facts = GgufFacts(architecture="bert", capabilities=ModelCapabilities(rerank=True), pooling="rank")
        added = await catalog.add_model(replace(new_model("a"), facts=facts))
        assert (added.capabilities.names(), added.pooling, added.detected) == (("rerank",), "rank", None)


class TestUses:
    async def test_the_last_use_is_stored(self, catalog: ModelStorePort) -> None:
        """The last recorded time is listed, for the given models only."""
        first = await catalog.add_model(new_model("a"))
        await catalog.add_model(new_model("b"))
        await catalog.note_use({first.id: 1_800_000_000})
        await catalog.note_use({first.id: 1_800_000_060})
        assert [model.last_used_at for model in await catalog.list_models()] == [1_800_000_060, None]

    async def test_missing_ids_are_skipped(self, catalog: ModelStorePort) -> None:
        """A removed model does not come back, and does not prevent recording the others."""
        gone = await catalog.add_model(new_model("gone"))
        stays = await catalog.add_model(new_model("stays"))
        await catalog.remove_model("gone")
        await catalog.note_use({gone.id: 5, stays.id: 6, 99: 7})
        assert [(model.name, model.last_used_at) for model in await catalog.list_models()] == [("stays", 6)]

    async def test_a_use_changes_nothing_else(self, catalog: ModelStorePort) -> None:
        """A used model is otherwise unchanged, and is launched the same."""
        added = await catalog.add_model(FULL)
        spec = await catalog.resolve_for_launch("qwen")
        await catalog.note_use({added.id: 5})
        assert await catalog.list_models() == [replace(added, last_used_at=5)]
        assert await catalog.resolve_for_launch("qwen") == spec
