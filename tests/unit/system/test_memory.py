"""The machine that the tests run on."""

import sys

import pytest

from gglib.system import memory, read_memory
from gglib.system.ram import Ram


@pytest.mark.skipif(sys.platform not in {"linux", "darwin"}, reason="elsewhere nothing is known")
def test_this_machine_is_read() -> None:
    """This machine has memory, and not more of it is free than there is."""
    found = read_memory()

    assert found.total_bytes
    assert found.available_bytes
    assert 64 * 1024**2 < found.available_bytes <= found.total_bytes


def test_other_systems_say_nothing() -> None:
    """On a system that is not known nothing is read, and nothing is raised."""
    assert memory._read_ram("plan9") == Ram(None, None)
