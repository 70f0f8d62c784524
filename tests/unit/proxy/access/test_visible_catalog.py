"""The catalogue as a key sees it."""

import pytest

from gglib.core.errors import ModelNotFoundError
from gglib.core.models import ModelLaunchSpec, ModelSummary
from gglib.core.names import require_model
from gglib.proxy.access.model_filter import ModelFilter
from gglib.proxy.access.visible_catalog import VisibleCatalog
from gglib.testing import FakeCatalog

CHAT = ModelSummary(id=1, name="chat-4b", aliases=("coder",))
SECRET = ModelSummary(id=2, name="secret-4b", aliases=("coders-secret",))
CATALOG = FakeCatalog([CHAT, SECRET])
VISIBLE = VisibleCatalog(CATALOG, ModelFilter(["chat*"]))


async def test_list_has_the_allowed_models() -> None:
    """The others are as if they did not exist."""
    assert await VISIBLE.list_models() == [CHAT]


@pytest.mark.parametrize("name", ["chat-4b", "coder", "1", "CODER", "coder:latest"])
async def test_allowed_model_is_found_by_every_name(name: str) -> None:
    """The patterns are for the model: a request may use any of its names."""
    assert await VISIBLE.resolve_model(name) == CHAT
    spec = await VISIBLE.resolve_for_launch(name)
    assert spec is not None
    assert spec.model_id == CHAT.id


@pytest.mark.parametrize(
    "name", ["secret-4b", "coders-secret", "2", "SECRET-4B", "secret-4b:latest", "nothing"]
)
async def test_other_models_are_unknown(name: str) -> None:
    """A model that is not allowed is not found by any of its names, like one that does not exist."""
    assert await VISIBLE.resolve_model(name) is None
    assert await VISIBLE.resolve_for_launch(name) is None


async def test_error_names_allowed_models_only() -> None:
    """Similar names and the list in the message are the key's own; the requested name is repeated as sent."""
    for name in ("secret-4b", "secret-9b", "code"):
        with pytest.raises(ModelNotFoundError) as unknown:
            await require_model(VISIBLE, name)
        shown = str(unknown.value).replace(f"'{name}'", "")
        assert "secret" not in shown
        assert "chat-4b" in shown or "coder" in shown


async def test_renamed_model_between_the_two_steps_is_not_launched() -> None:
    """The name may mean another model when it is resolved for the launch."""

    class Renaming(FakeCatalog):
        async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
            del name
            return await super().resolve_for_launch("secret-4b")

    renaming = VisibleCatalog(Renaming([CHAT, SECRET]), ModelFilter(["chat*"]))
    assert await renaming.resolve_for_launch("chat-4b") is None


async def test_catalog_without_launch_specs() -> None:
    """A catalogue of models that gglib does not launch returns None for every model."""

    class Foreign(FakeCatalog):
        async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
            del name
            return None

    foreign = VisibleCatalog(Foreign([CHAT, SECRET]), ModelFilter(["chat*"]))
    assert await foreign.resolve_for_launch("chat-4b") is None
    assert await foreign.resolve_model("chat-4b") == CHAT
