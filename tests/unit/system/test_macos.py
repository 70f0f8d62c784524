"""The memory of a Mac, parsed from its commands."""

import sys
from collections.abc import Sequence

from gglib.system.macos import read_macos_memory, run_command
from gglib.system.ram import Ram

# The form of Apple's vm_stat, with round numbers.
VM_STAT = """Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                                    1000.
Pages active:                                400000.
Pages inactive:                              300000.
Pages speculative:                             2000.
Pages throttled:                                  0.
Pages wired down:                            150000.
Pages purgeable:                               4000.
"Translation faults":                     987654321.
Pages copy-on-write:                        1234567.
File-backed pages:                           200000.
"""


def _answers(command: Sequence[str]) -> str:
    return VM_STAT if "vm_stat" in command[0] else "17179869184\n"


def test_available_memory_includes_reclaimable_pages() -> None:
    """Free, speculative, inactive and purgeable pages count, in the page size of the machine."""
    assert read_macos_memory(_answers) == Ram(16 * 1024**3, (1000 + 2000 + 300_000 + 4000) * 16_384)


def test_failing_commands_give_no_memory() -> None:
    """Without output the memory is unknown, and nothing is raised."""
    assert read_macos_memory(lambda _: "") == Ram(None, None)
    assert read_macos_memory(lambda _: "page size of 16384 bytes\n") == Ram(None, None)


def test_missing_or_failing_command_has_empty_output() -> None:
    """A command that cannot be run, or fails, gives empty output."""
    assert run_command(["/nowhere/vm_stat"]) == ""
    assert run_command([sys.executable, "-c", "print(1); raise SystemExit(1)"]) == ""
    assert run_command([sys.executable, "-c", "print(1)"]).strip() == "1"
