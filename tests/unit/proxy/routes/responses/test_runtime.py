"""The status of the runtime as a response."""

from types import MappingProxyType

import msgspec

from gglib.core.runtime.status import ResidentStatus, RuntimeStatus
from gglib.proxy.routes.responses import Status


def test_status_names_failed_models() -> None:
    """A failed model is an object with its name and the reason."""
    status = Status.of(RuntimeStatus(failed=(("m", "bad magic"),)), "1.2.3")
    assert status.version == "1.2.3"
    assert list(msgspec.to_builtins(status.failed)) == [{"model_name": "m", "reason": "bad magic"}]


def test_status_has_the_memory_of_all_residents() -> None:
    """The sum of the sizes by device, next to the budget. A runtime may use any mapping."""
    residents = tuple(
        ResidentStatus(model_id=1, model_name="m", state="ready", effective_ctx=1, size=size)
        for size in ({"ram": 5, "gpu0": 7}, MappingProxyType({"ram": 1}), {})
    )
    status = Status.of(RuntimeStatus(residents=residents, limits=MappingProxyType({"ram": 20})), "1.2.3")
    content = msgspec.json.decode(msgspec.json.encode(status))
    assert (content["used"], content["limits"]) == ({"ram": 6, "gpu0": 7}, {"ram": 20})
    assert [resident["size"] for resident in content["residents"]] == [{"ram": 5, "gpu0": 7}, {"ram": 1}, {}]
