"""The list of models: a large one leaves other requests their turns."""

import asyncio
from types import SimpleNamespace
from typing import Any

from gglib.core.models import ModelSummary
from gglib.proxy.names.aliases import AliasLists
from gglib.proxy.routes.admin.models import SHOWN_AT_ONCE, shown_models
from gglib.testing import FakeCatalog, FakeRuntime


async def test_other_requests_have_their_turns() -> None:
    """The event loop runs between the parts of a list; no model is lost there."""
    models = [ModelSummary(id=number, name=f"model-{number}") for number in range(1, 3 * SHOWN_AT_ONCE + 2)]
    services = SimpleNamespace(
        runtime=FakeRuntime(), catalog=FakeCatalog(models), cluster=None, aliases=AliasLists({})
    )
    call: Any = SimpleNamespace(services=services, is_admin=True)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    shown = await shown_models(call, models)
    counting.cancel()
    assert [model.id for model in shown] == [model.id for model in models]
    assert turns >= 3
