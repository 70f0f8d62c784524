"""Comparing configurations with a real catalogue and real files, and applying the plan."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gglib.core.backends import CommandBackend, UrlBackend
from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelEdit, ModelSettings, ModelSource
from gglib.core.profiles import Profile
from gglib.db import SqliteCatalog
from gglib.gguf import read_model
from gglib.library.add import AddRequest, add_model
from gglib.library.importers.configurations.applying import apply_plan
from gglib.library.importers.configurations.plan import (
    Configuration,
    HubModel,
    KnownModel,
    LocalFile,
    Served,
    WantedModel,
)
from gglib.library.importers.configurations.planned import Catalogue, ImportPlan, PlannedModel, PlanState
from gglib.library.importers.configurations.planning import plan_models
from gglib.testing import write_tiny_gguf, write_tiny_projector


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that takes every option but one."""

    takes_unchecked: bool = True

    def refusal(self, arguments: Sequence[str]) -> str | None:
        """Refuse ``--new``."""
        return "It is unknown." if arguments[0] == "--new" else None

    def unchecked_refusal(self, arguments: Sequence[str]) -> str | None:  # noqa: ARG002 - of the protocol
        """Refuse none."""
        return None

    def variable_refusal(self, variable: tuple[str, str], *, is_command: bool) -> str | None:  # noqa: ARG002 - as above
        """Refuse none."""
        return None


@pytest.fixture(name="catalog")
async def open_catalog(tmp_path: Path) -> AsyncIterator[SqliteCatalog]:
    """Yield an empty catalogue."""
    async with SqliteCatalog(tmp_path / "home.db") as catalog:
        yield catalog


def wanted(name: str, served: Served, **fields: object) -> WantedModel:
    """Return a model of a configuration."""
    return WantedModel(where=f"models.{name}", name=name, served=served, **fields)  # type: ignore[arg-type]


async def plan(catalog: SqliteCatalog, directory: Path, *models: WantedModel) -> ImportPlan:
    """Plan the import of some models."""
    return plan_models(
        Configuration(models=models),
        Catalogue(await catalog.list_models(), await catalog.list_profiles()),
        directories=(directory,),
        engine=Engine(),
        read_model=read_model,
    )


async def applied(catalog: SqliteCatalog, directory: Path, *models: WantedModel) -> list[PlannedModel]:
    """Import some models."""

    async def add_profile(profile: Profile, model: str) -> None:
        await catalog.edit_profile(profile.name, int(model), lambda known: known or profile)

    return await apply_plan((await plan(catalog, directory, *models)).models, catalog, add_profile)


class TestFiles:
    async def test_a_new_model_has_everything(self, catalog: SqliteCatalog, tmp_path: Path) -> None:
        """File, projector, names, description, settings, arguments and profiles; a relative path is found."""
        (tmp_path / "m").mkdir()
        file = write_tiny_gguf(tmp_path / "m" / "a.gguf")
        projector = write_tiny_projector(tmp_path / "m" / "p.gguf")
        model = wanted(
            "a",
            LocalFile(Path("m/a.gguf"), Path("m/p.gguf")),
            aliases=("x",),
            description="For tests",
            settings=ModelSettings(context=64, idle_ttl_s=5.0),
            options=(("--temp", "0.5"), ("--new", "1")),
            profiles=(Profile(name="filters", defaults={"seed": 1}),),
        )
        (done,) = await applied(catalog, tmp_path, model)
        assert (done.state, done.name) == (PlanState.ADDED, "a")
        (added,) = await catalog.list_models()
        assert (added.paths, added.projector) == ((file,), projector)
        assert (added.aliases, added.description) == (("x",), "For tests")
        assert added.settings == ModelSettings(
            context=64, idle_ttl_s=5.0, engine_args=("--temp", "0.5"), extra_args=("--new", "1")
        )
        (profile,) = await catalog.list_profiles()
        assert (profile.name, profile.model_id, profile.defaults) == ("filters", added.id, {"seed": 1})

    async def test_a_second_import_does_nothing(self, catalog: SqliteCatalog, tmp_path: Path) -> None:
        """Everything is there already."""
        write_tiny_gguf(tmp_path / "a.gguf")
        model = wanted(
            "a",
            LocalFile(Path("a.gguf")),
            settings=ModelSettings(context=64),
            profiles=(Profile(name="filters", defaults={"seed": 1}),),
        )
        await applied(catalog, tmp_path, model)
        before = (await catalog.list_models(), await catalog.list_profiles())
        again = await plan(catalog, tmp_path, model)
        assert [each.state for each in again.models] == [PlanState.KNOWN]
        await applied(catalog, tmp_path, model)
        assert (await catalog.list_models(), await catalog.list_profiles()) == before

    async def test_a_known_model_gains_what_it_lacks(self, catalog: SqliteCatalog, tmp_path: Path) -> None:
        """By its file, under any path; values that it has stay."""
        file = write_tiny_gguf(tmp_path / "a.gguf")
        link = tmp_path / "link.gguf"
        link.symlink_to(file)
        request = AddRequest(path=file, name="own", settings=ModelSettings(context=32))
        await add_model(request, catalog, read_model)
        model = wanted(
            "a", LocalFile(link), aliases=("x",), settings=ModelSettings(context=64, idle_ttl_s=5.0)
        )
        (done,) = await applied(catalog, tmp_path, model)
        assert (done.state, done.name) == (PlanState.UPDATED, "own")
        (changed,) = await catalog.list_models()
        assert (changed.name, changed.aliases) == ("own", ("a", "x"))
        assert changed.settings == ModelSettings(context=32, idle_ttl_s=5.0)

    async def test_files_of_options_are_found(self, catalog: SqliteCatalog, tmp_path: Path) -> None:
        """Beside the configuration, as the model: the engine runs in another directory."""
        write_tiny_gguf(tmp_path / "a.gguf")
        options = (("--chat-template-file", "t.jinja"), ("--lora", "/l.gguf"), ("--alias-file", "x"))
        (found,) = (
            await plan(catalog, tmp_path, wanted("a", LocalFile(Path("a.gguf")), options=options))
        ).models
        assert found.new is not None
        assert found.new.settings.engine_args == (
            *("--chat-template-file", str(tmp_path / "t.jinja"), "--lora", "/l.gguf"),
            *("--alias-file", "x"),
        )

    async def test_two_models_of_one_file(self, catalog: SqliteCatalog, tmp_path: Path) -> None:
        """The second name becomes an alias; its options are listed as unused."""
        write_tiny_gguf(tmp_path / "a.gguf")
        file = LocalFile(Path("a.gguf"))
        found = await plan(
            catalog,
            tmp_path,
            wanted("a", file),
            wanted("b", file),
            wanted("c", file, options=(("--mlock",),)),
        )
        (only,) = found.models
        assert only.new is not None
        assert only.new.aliases == ("b", "c")
        assert [each.reason for each in found.leftovers] == [
            "it has the file of 'a', and becomes its alias",
            "it has the file of 'a', and becomes its alias without its own settings and options",
        ]

    async def test_the_sampling_of_a_second_model(self, catalog: SqliteCatalog, tmp_path: Path) -> None:
        """It becomes a profile of the first."""
        write_tiny_gguf(tmp_path / "a.gguf")
        file = LocalFile(Path("a.gguf"))
        shared = ("--threads", "2")
        first = wanted("a", file, options=(shared,))
        second = wanted("b:8b", file, options=(shared, ("--temp", "0.2")))
        found = await plan(catalog, tmp_path, first, second)
        (only,) = found.models
        assert only.profiles == (Profile(name="b-8b", defaults={"temperature": 0.2}),)
        assert [(each.reason, each.instead) for each in found.leftovers] == [
            (
                "it has the file of 'a', and becomes its alias",
                "clients use the model 'a:b-8b' for its sampling",
            )
        ]
        await applied(catalog, tmp_path, first, second)
        again = await plan(catalog, tmp_path, first, second)
        assert [(each.name, each.state) for each in again.models] == [("a", PlanState.KNOWN)] * 2
        assert again.leftovers == found.leftovers

    async def test_a_known_model_gains_the_names_of_both(
        self, catalog: SqliteCatalog, tmp_path: Path
    ) -> None:
        """Its settings are those of the first."""
        file = write_tiny_gguf(tmp_path / "a.gguf")
        await add_model(AddRequest(path=file, name="own"), catalog, read_model)
        first = wanted("a", LocalFile(file), settings=ModelSettings(context=64))
        second = wanted("b", LocalFile(file), settings=ModelSettings(context=32, idle_ttl_s=5.0))
        await applied(catalog, tmp_path, first, second)
        (changed,) = await catalog.list_models()
        assert (changed.aliases, changed.settings) == (("a", "b"), ModelSettings(context=64))

    async def test_what_cannot_be_added_is_skipped(self, catalog: SqliteCatalog, tmp_path: Path) -> None:
        """A missing file, a broken one, and one that is no model; the others are planned."""
        (tmp_path / "broken.gguf").write_bytes(b"no")
        write_tiny_projector(tmp_path / "p.gguf")
        write_tiny_gguf(tmp_path / "a.gguf")
        files = {"gone": "gone.gguf", "broken": "broken.gguf", "eye": "p.gguf", "7": "a.gguf", "a": "a.gguf"}
        models = [wanted(name, LocalFile(Path(file))) for name, file in files.items()]
        found = await plan(catalog, tmp_path, *models)
        assert {each.name: each.state for each in found.models} == {
            **dict.fromkeys(("gone", "broken", "eye", "7"), PlanState.SKIPPED),
            "a": PlanState.NEW,
        }
        reasons = {each.name: each.reason or "" for each in found.models}
        assert "does not exist" in reasons["gone"]
        assert "not a GGUF file" in reasons["broken"]
        assert "projector" in reasons["eye"]
        assert "looks like an id" in reasons["7"]


class TestNames:
    async def test_a_taken_name_is_skipped(self, catalog: SqliteCatalog, tmp_path: Path) -> None:
        """With the command that renames the other model."""
        await add_model(
            AddRequest(path=write_tiny_gguf(tmp_path / "o.gguf"), name="other", aliases=("A",)),
            catalog,
            read_model,
        )
        write_tiny_gguf(tmp_path / "a.gguf", seed=1)
        (found,) = (await plan(catalog, tmp_path, wanted("a", LocalFile(Path("a.gguf"))))).models
        assert (found.state, found.reason) == (
            PlanState.SKIPPED,
            "the name is taken by another model, 'other'",
        )
        assert found.instead == "'gglib set --name NEW other' renames that one"

    async def test_taken_and_impossible_aliases_are_listed(
        self, catalog: SqliteCatalog, tmp_path: Path
    ) -> None:
        """The model has the others; names differ by more than case."""
        first = wanted("a", UrlBackend(base_url="http://a/v1"), aliases=("x", "X", "a", "7", "y"))
        second = wanted("b", UrlBackend(base_url="http://b/v1"), aliases=("Y", "z"))
        found = await plan(catalog, tmp_path, first, second)
        assert [each.new.aliases for each in found.models if each.new] == [("x", "y"), ("z",)]
        assert [each.reason for each in found.leftovers] == [
            "the name '7' cannot be used",
            "'Y' is a name of 'a'",
        ]


class TestOtherModels:
    @pytest.mark.parametrize(
        "backend",
        [
            CommandBackend(argv=("serve", "{port}"), directory=Path("/srv")),
            UrlBackend(base_url="http://box/v1", key_env="BOX_KEY"),
        ],
    )
    async def test_a_model_with_a_backend(
        self, catalog: SqliteCatalog, tmp_path: Path, backend: CommandBackend | UrlBackend
    ) -> None:
        """It has no file; a second import finds it, and another backend of the name is another model."""
        model = wanted("b", backend, settings=ModelSettings(environment=(("A", "1"),)))
        await applied(catalog, tmp_path, model)
        (added,) = await catalog.list_models()
        assert (added.backend, added.paths, added.settings.environment) == (backend, (), (("A", "1"),))
        assert [each.state for each in (await plan(catalog, tmp_path, model)).models] == [PlanState.KNOWN]
        other = replace(model, served=UrlBackend(base_url="http://else/v1"))
        assert [each.state for each in (await plan(catalog, tmp_path, other)).models] == [PlanState.SKIPPED]

    @pytest.mark.parametrize(
        ("backend", "words"),
        [
            (CommandBackend(argv=("serve",)), "does not say where to listen"),
            (CommandBackend(argv=("serve", "{port}", "{new}")), "unknown placeholder"),
            (UrlBackend(base_url="ftp://box/v1"), "is not the URL of a server"),
            (UrlBackend(base_url="http://me:never-shown@box/v1"), "has no user"),
        ],
    )
    async def test_an_impossible_backend_is_skipped(
        self, catalog: SqliteCatalog, tmp_path: Path, backend: CommandBackend | UrlBackend, words: str
    ) -> None:
        """With the reason; a password of a URL is not part of it."""
        (found,) = (await plan(catalog, tmp_path, wanted("b", backend))).models
        assert found.state is PlanState.SKIPPED
        assert words in (found.reason or "")
        assert "never-shown" not in (found.reason or "")

    async def test_a_model_of_the_hub(self, catalog: SqliteCatalog, tmp_path: Path) -> None:
        """The pull to type; once its alias is in the catalogue, it gains settings and names."""
        model = wanted("h", HubModel("o/n:Q4"), settings=ModelSettings(context=64))
        (found,) = (await plan(catalog, tmp_path, model)).models
        assert (found.state, found.reason) == (PlanState.SKIPPED, "it is not in the catalogue")
        assert (found.instead or "").startswith("'gglib pull --name h o/n:Q4', or 'gglib import hf'")
        file = write_tiny_gguf(tmp_path / "a.gguf")
        await add_model(AddRequest(path=file, name="n", aliases=("o/n:Q4",)), catalog, read_model)
        (done,) = await applied(catalog, tmp_path, model)
        assert (done.state, done.name) == (PlanState.UPDATED, "n")
        (changed,) = await catalog.list_models()
        assert (changed.aliases, changed.settings.context) == (("o/n:Q4", "h"), 64)

    @pytest.mark.parametrize(
        ("target", "state"),
        [
            ("O/N", PlanState.CHANGED),
            ("o/n:f32", PlanState.CHANGED),
            ("o/n:Q4", PlanState.SKIPPED),
            ("o/m", PlanState.SKIPPED),
        ],
    )
    async def test_a_model_of_the_hub_by_its_repository(
        self, catalog: SqliteCatalog, tmp_path: Path, target: str, state: PlanState
    ) -> None:
        """Such as one of the Hugging Face cache, under any name, if the quantization fits."""
        file = write_tiny_gguf(tmp_path / "a.gguf")
        source = ModelSource(origin="huggingface", repo="o/n")
        await add_model(AddRequest(path=file, name="any", source=source), catalog, read_model)
        (found,) = (await plan(catalog, tmp_path, wanted("h", HubModel(target)))).models
        assert found.state is state

    async def test_a_model_that_the_other_program_finds(self, catalog: SqliteCatalog, tmp_path: Path) -> None:
        """It must be in the catalogue."""
        (found,) = (await plan(catalog, tmp_path, wanted("k", KnownModel()))).models
        assert found.state is PlanState.SKIPPED
        assert "gglib import DIRECTORY" in (found.instead or "")


async def test_a_profile_of_the_name_is_not_replaced(catalog: SqliteCatalog, tmp_path: Path) -> None:
    """It is listed with the command that shows it."""
    model = wanted("a", UrlBackend(base_url="http://a/v1"))
    await applied(catalog, tmp_path, model)
    (added,) = await catalog.list_models()
    own = Profile(name="Filters", model_id=added.id, defaults={"seed": 9})
    await catalog.edit_profile("Filters", added.id, lambda _: own)
    found = await plan(catalog, tmp_path, replace(model, profiles=(Profile(name="filters"),)))
    assert [each.state for each in found.models] == [PlanState.KNOWN]
    assert [each.reason for each in found.leftovers] == ["'a' has another profile 'filters'"]


async def test_a_failure_does_not_affect_the_others(catalog: SqliteCatalog, tmp_path: Path) -> None:
    """A name that is taken between plan and import, and a profile that is refused."""
    models = [wanted(name, UrlBackend(base_url=f"http://{name}/v1")) for name in ("a", "b", "c")]
    models[2] = replace(models[2], profiles=(Profile(name="p"),))
    planned = (await plan(catalog, tmp_path, *models)).models
    write_tiny_gguf(tmp_path / "x.gguf")
    await add_model(AddRequest(path=tmp_path / "x.gguf", name="b"), catalog, read_model)

    async def refuse(profile: Profile, model: str) -> None:
        raise InvalidSettingError(f"{profile.name} of {model} is refused.")

    done = await apply_plan(planned, catalog, refuse)
    assert [each.state for each in done] == [PlanState.ADDED, PlanState.FAILED, PlanState.FAILED]
    assert "b" in (done[1].reason or "")
    assert "is refused" in (done[2].reason or "")


async def test_a_change_between_plan_and_import_is_kept(catalog: SqliteCatalog, tmp_path: Path) -> None:
    """A context that another command sets meanwhile is not replaced."""
    write_tiny_gguf(tmp_path / "a.gguf")
    model = wanted("a", LocalFile(Path("a.gguf")))
    await applied(catalog, tmp_path, model)
    planned = await plan(catalog, tmp_path, replace(model, settings=ModelSettings(context=64)))
    await catalog.edit_model("a", lambda now: ModelEdit(settings=replace(now.settings, context=32)))

    async def no_profile(profile: Profile, model: str) -> None:
        raise AssertionError(profile, model)

    await apply_plan(planned.models, catalog, no_profile)
    (kept,) = await catalog.list_models()
    assert kept.settings.context == 32
