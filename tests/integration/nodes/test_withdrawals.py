"""A withdrawal races with the grant of the model: its result says what becomes of the request, always."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from tests.support.gglib_node import GglibNode
from tests.support.waiting import until

from gglib.testing import Script

BODY = {"model": "small", "messages": [{"role": "user", "content": "Hello"}]}
FRONT = "front-1"
REQUESTS = 8


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[GglibNode]:
    """Return a node whose loads take long enough for all requests to arrive."""
    async with GglibNode(tmp_path / "a", "small", script=Script(load_s=2.0)) as node:
        yield node


@pytest.mark.parametrize("is_granted", [False, True], ids=["waiting", "granted"])
async def test_the_result_of_a_withdrawal_is_what_the_request_ends_with(
    node: GglibNode, *, is_granted: bool
) -> None:
    """In the moment of the grant, too: withdrawn and not computed, or kept and answered; no lease is left.

    The model is granted to all requests in one step. When the first of them goes on, the others have not yet.
    """
    ids = [f"request-{number}" for number in range(REQUESTS)]
    in_progress = node.shared.open_requests
    async with httpx2.AsyncClient(base_url=node.url, timeout=60, trust_env=False) as client:

        async def send(request_id: str) -> httpx2.Response:
            headers = {"x-gglib-hop": FRONT, "x-request-id": request_id}
            return await client.post("/v1/chat/completions", json=BODY, headers=headers)

        def states() -> set[str]:
            return {request.state for request in in_progress.running() if request.request_id in ids}

        sent = [asyncio.create_task(send(request_id)) for request_id in ids]
        await until(lambda: len(in_progress.running()) == REQUESTS and states() == {"waiting"})
        if is_granted:
            await until(lambda: "running" in states(), poll_s=0)
        withdrawn = [in_progress.withdraw(request_id, FRONT) for request_id in ids]
        for is_withdrawn, response in zip(withdrawn, await asyncio.gather(*sent), strict=True):
            assert response.status_code == (503 if is_withdrawn else 200), response.text
            assert response.headers.get("x-gglib-error") == ("withdrawn" if is_withdrawn else None)
        assert all(withdrawn) is not is_granted
        await client.post("/gglib/stop")
        status = (await client.get("/gglib/status")).json()
        assert (status["residents"], status["waiting"]) == ([], [])
