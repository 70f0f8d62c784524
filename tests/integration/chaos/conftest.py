"""Runs the chaos tests on the event loop that the program uses."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Return the loop factory by name."""
    del config, item
    return {"uvloop": uvloop.new_event_loop}
