"""Responses of the server as values."""

import msgspec
import pytest
from tests.support.top_values import URL, finished, resident, running, status, swap

from gglib.cli.history.results import FoundRequests
from gglib.cli.top import decode
from gglib.core.addresses import Endpoint
from gglib.core.errors import UpstreamError

SERVER = Endpoint(URL)


def test_values_are_read_as_the_server_writes_them() -> None:
    """Unknown fields of a newer server are ignored."""
    known = status(resident(size={"ram": 5}), waiting=(("big", 1, 2.0),), last_swap=swap(), used={"ram": 5})
    content = {**msgspec.to_builtins(known), "new": 1}
    assert decode.parse_status(SERVER, content) == known
    page = msgspec.to_builtins({"running": [running()], "requests": [finished()], "next_before": None})
    assert decode.parse_requests(SERVER, page) == FoundRequests(running=(running(),), requests=(finished(),))
    assert decode.parse_requests(SERVER, {}) == FoundRequests()
    assert decode.parse_finished(SERVER, {**page["requests"][0], "new": []}) == finished()
    assert decode.parse_swap(SERVER, {"swap": msgspec.to_builtins(swap())}) == swap()


@pytest.mark.parametrize(
    "parse",
    [
        lambda: decode.parse_status(SERVER, {"residents": []}),
        lambda: decode.parse_swap(SERVER, {}),
        lambda: decode.parse_finished(SERVER, {"request_id": 5}),
        lambda: decode.parse_requests(SERVER, {"running": [{}]}),
        lambda: decode.parse_requests(SERVER, 5),
    ],
)
def test_other_responses_are_one_error(parse: object) -> None:
    """It names the server and what to check."""
    assert callable(parse)
    with pytest.raises(UpstreamError, match=f"^{URL} sent a response to GET .* check that the address is"):
        parse()
