"""The machine and its logs as responses."""

from gglib.core.log_lines import LogLine
from gglib.core.memory import MachineMemory
from gglib.core.ports.logs import LogBatch
from gglib.core.ports.system import DiskSpace, EngineFacts, Processors, SystemFacts
from gglib.proxy.routes.responses.machine import NewLogLines, System


def test_new_lines_have_the_number_of_those_that_are_left_out() -> None:
    """A reader that is too slow sees that there was more."""
    line = LogLine(text="started")
    assert NewLogLines.of(LogBatch(lines=(line,), skipped=3)) == NewLogLines(lines=(line,), skipped=3)


def test_a_system_has_the_memory_in_the_form_of_searches() -> None:
    """All other facts are those of the port."""
    facts = SystemFacts(
        version="1.0",
        python="3.11",
        platform="Linux",
        started_at=1,
        uptime_s=2.0,
        home="/home",
        processors=Processors(name=None, count=4, usable=2),
        memory=MachineMemory(total_bytes=64, available_bytes=32, gpus=()),
        disk=DiskSpace(path="/home", total_bytes=9, free_bytes=8),
        engine=EngineFacts(name="embedded", path=None, version=None, devices=None),
        url="http://127.0.0.1:8080",
        keys_required=False,
    )
    shown = System.of(facts)
    assert (shown.memory.total_bytes, shown.memory.gpus) == (64, ())
    assert (shown.processors, shown.disk, shown.engine) == (facts.processors, facts.disk, facts.engine)
