"""What a running server reports of its models: sizes, the machine's memory, and past swaps."""

import json
import time
from typing import Any

from tests.support.waiting import wait_until

from .conftest import Home
from .test_history import get


def test_sizes_devices_and_swaps_of_a_real_server(stocked: Home) -> None:
    """Without a memory limit, too: the estimate comes from the header, the measurement from the process."""
    with stocked.serving() as server:
        began_at = time.time()
        stocked.ok("load", "tiny")

        def resident() -> Any:
            (only,) = get(server.url, "/gglib/status")["residents"]
            return only

        wait_until(lambda: "ram" in resident()["estimated_size"] and resident()["is_measured"])
        assert resident()["estimated_size"]["ram"] > 0
        assert resident()["measured_size"] == resident()["size"]
        status = json.loads(stocked.ok("ps", "--json"))
        assert set(status["devices"]["ram"]) == {"total_bytes", "available_bytes"}
        (swap,) = get(server.url, "/gglib/swaps")["swaps"]
        assert (swap["from_model"], swap["to_model"]) == (None, "tiny")
        assert began_at - 1 <= swap["ended_at"] <= time.time() + 1
        assert swap["ended_at"] == status["last_swap"]["ended_at"]
        stocked.ok("stop")
        assert [s["to_model"] for s in get(server.url, "/gglib/swaps?limit=1")["swaps"]] == [None]
