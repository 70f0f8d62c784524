"""The candidates for a request: models of the right kind, the model in memory, and the default."""

from collections.abc import Mapping

import pytest

from gglib.core.defaults import IN_MEMORY_ALIAS
from gglib.core.errors import ModelNotFoundError
from gglib.core.models import ModelCapabilities, ModelKind, ModelSummary, RunningTarget
from gglib.core.profiles import Profile
from gglib.http.client.pool import UpstreamPool
from gglib.proxy.errors import BadRequestError, NoModelInMemoryError, UnsupportedByModelError
from gglib.proxy.models import ModelObjects
from gglib.proxy.names.aliases import AliasLists
from gglib.proxy.names.candidates import resolve_candidates, resolve_request
from gglib.proxy.names.default_model import default_model
from gglib.proxy.options import ProxyOptions, Services
from gglib.proxy.routes.table import route_of
from gglib.proxy.telemetry.recorder import RequestRecorder
from gglib.testing import FakeCatalog, FakeRuntime

A = ModelSummary(id=1, name="a", capabilities=ModelCapabilities(chat=True))
B = ModelSummary(id=2, name="b", capabilities=ModelCapabilities(chat=True))
EMBED = ModelSummary(id=3, name="embed", capabilities=ModelCapabilities(embedding=True))
MODELS = (A, B, EMBED)
CLAUDE = "claude-opus-4-8"
NO_LISTS: Mapping[str, tuple[str, ...]] = {}


class SummariesOnly(FakeCatalog):
    """The catalogue of a runtime that launches nothing."""

    async def resolve_for_launch(self, name: str) -> None:
        """Return None."""
        del name


async def services_of(
    catalog: FakeCatalog | None = None,
    *,
    lists: Mapping[str, tuple[str, ...]] = NO_LISTS,
    default: str | None = None,
    in_memory: str | None = None,
) -> Services:
    """Return the services of a proxy; ``in_memory`` is the model that was used last."""
    catalog = catalog or FakeCatalog(MODELS)
    runtime = FakeRuntime({model.name: RunningTarget.local(1, model.id, model.name, 1) for model in MODELS})
    if in_memory is not None:
        await runtime.ensure_model_running(in_memory, None, 1)
    return Services(
        runtime=runtime,
        catalog=catalog,
        pool=UpstreamPool(connect_timeout_s=1),
        model_objects=ModelObjects(1),
        recorder=RequestRecorder(route_of),
        default_ctx=1,
        options=ProxyOptions(default_model=default, aliases=lists),
        aliases=AliasLists(lists),
        profiles=catalog,
    )


async def test_a_model_has_its_launch_spec() -> None:
    """Or none, for a runtime that launches nothing."""
    (found,), profile = await resolve_request("A", await services_of(), "chat")
    assert (found.name, found.capabilities, profile) == ("a", A.capabilities, None)
    assert found.spec is not None
    assert found.spec.model_id == A.id
    (found,), _ = await resolve_request("a", await services_of(SummariesOnly(MODELS)))
    assert (found.name, found.spec, found.capabilities) == ("a", None, A.capabilities)


@pytest.mark.parametrize("name", ["mixed", "gpt-4"])
async def test_an_alias_means_its_models_of_the_kind(name: str) -> None:
    """Of any kind for an operation on models; an own name is the caller's choice."""
    services = await services_of(lists={"mixed": ("embed", "b", "gone"), "gpt-*": ("embed", "b")})
    expectations: dict[ModelKind | None, list[str]] = {
        None: ["embed", "b"],
        "chat": ["b"],
        "embedding": ["embed"],
    }
    for kind, expected in expectations.items():
        candidates, _ = await resolve_request(name, services, kind)
        assert [candidate.name for candidate in candidates] == expected
    with pytest.raises(UnsupportedByModelError, match=r"it has embed, b\.$"):
        await resolve_request(name, services, "rerank")
    (own,), _ = await resolve_request("embed", services, "chat")
    assert own.name == "embed"


@pytest.mark.parametrize(
    ("in_memory", "default", "kind", "chosen"),
    [
        ("b", "a", "chat", "b"),
        ("embed", "b", "chat", "b"),
        ("embed", "b", "embedding", "embed"),
        ("a", None, "embedding", "embed"),
        (None, "b", "chat", "b"),
        (None, "best", "chat", "b"),
    ],
)
async def test_requests_for_claude_use_the_model_in_memory_or_the_default(
    in_memory: str | None, default: str | None, kind: ModelKind, chosen: str
) -> None:
    """Of the kind that the path needs."""
    services = await services_of(lists={"best": ("embed", "b")}, default=default, in_memory=in_memory)
    candidates, _ = await resolve_request(CLAUDE, services, kind)
    assert [candidate.name for candidate in candidates] == [chosen]


async def test_requests_for_claude_get_the_profile_of_the_default() -> None:
    """As requests without a model do."""
    catalog = FakeCatalog(MODELS)
    await catalog.edit_profile("cold", None, lambda _: Profile(name="cold"))
    services = await services_of(catalog, default="b:cold")
    (found,), profile = await resolve_request(CLAUDE, services, "chat")
    assert found.name == "b"
    assert profile is not None
    assert await default_model("/v1/messages", services) == "b:cold"


async def test_without_a_model_in_memory_or_a_default_there_is_an_error() -> None:
    """It names the models; in an empty catalogue it is that of any name, as for operations on models."""
    with pytest.raises(NoModelInMemoryError, match="load one of a, b, embed") as error:
        await resolve_request(CLAUDE, await services_of(), "chat")
    assert error.value.limited() is error.value
    cases: tuple[tuple[Services, ModelKind | None], ...] = (
        (await services_of(FakeCatalog()), "chat"),
        (await services_of(in_memory="b"), None),
        (await services_of(lists={"claude-*": ("gone",)}, in_memory="b"), "chat"),
    )
    for services, kind in cases:
        with pytest.raises(ModelNotFoundError) as unknown:
            await resolve_request(CLAUDE, services, kind)
        assert not isinstance(unknown.value, NoModelInMemoryError)
    assert IN_MEMORY_ALIAS in str(error.value)


async def test_a_name_without_a_request_is_resolved_without_profiles() -> None:
    """As for ``preload``."""
    lists = AliasLists({"fast": ("gone", "b")})
    assert [found.name for found in await resolve_candidates("fast", FakeCatalog(MODELS), lists)] == ["b"]
    with pytest.raises(ModelNotFoundError, match="'fas' is not in the catalogue"):
        await resolve_candidates("fas", FakeCatalog(MODELS), lists)


@pytest.mark.parametrize(
    ("default", "error"), [(None, BadRequestError), ("gone", ModelNotFoundError), ("embed", BadRequestError)]
)
async def test_requests_without_a_model_need_a_default(default: str | None, error: type[Exception]) -> None:
    """A configured name that means nothing is named."""
    with pytest.raises(error):
        await default_model("/v1/messages", await services_of(default=default))
