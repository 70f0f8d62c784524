"""The status of the runtime as a response."""

from types import MappingProxyType

import msgspec

from gglib.core.memory import DeviceMemory
from gglib.core.runtime.status import ResidentStatus, RuntimeStatus
from gglib.proxy.routes.responses import Status


def test_status_names_failed_models() -> None:
    """A failed model is an object with its name and the reason."""
    status = Status.of(RuntimeStatus(failed=(("m", "bad magic"),)), "1.2.3", {})
    assert status.version == "1.2.3"
    assert list(msgspec.to_builtins(status.failed)) == [{"model_name": "m", "reason": "bad magic"}]


def test_status_has_the_memory_of_all_residents() -> None:
    """The sum of the sizes by device, next to the budget. A runtime may use any mapping."""
    residents = tuple(
        ResidentStatus(
            model_id=1,
            model_name="m",
            state="ready",
            effective_ctx=1,
            size=size,
            estimated_size=size,
            measured_size=size,
        )
        for size in ({"ram": 5, "gpu0": 7}, MappingProxyType({"ram": 1}), {})
    )
    devices = MappingProxyType({"ram": DeviceMemory(total_bytes=64, available_bytes=None)})
    status = Status.of(
        RuntimeStatus(residents=residents, limits=MappingProxyType({"ram": 20})), "1.2.3", devices
    )
    content = msgspec.json.decode(msgspec.json.encode(status))
    assert (content["used"], content["limits"]) == ({"ram": 6, "gpu0": 7}, {"ram": 20})
    for field in ("size", "estimated_size", "measured_size"):
        sizes = [resident[field] for resident in content["residents"]]
        assert sizes == [{"ram": 5, "gpu0": 7}, {"ram": 1}, {}]
    assert content["devices"] == {"ram": {"total_bytes": 64, "available_bytes": None}}
