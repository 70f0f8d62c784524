"""The machine that the tests run on."""

import sys
from pathlib import Path

import pytest

from gglib.system import Ram, read_memory, read_ram


@pytest.mark.skipif(sys.platform not in {"linux", "darwin"}, reason="elsewhere nothing is known")
def test_this_machine_is_read() -> None:
    """This machine has memory, and at most all of it is free."""
    found = read_memory()

    assert found.total_bytes
    assert found.available_bytes
    assert 64 * 1024**2 < found.available_bytes <= found.total_bytes


def test_unknown_system_has_no_memory() -> None:
    """On an unknown system nothing is read, and nothing is raised."""
    assert read_ram("plan9") == Ram(None, None)


def test_container_limit_applies(tmp_path: Path) -> None:
    """The one reader applies the limits of control groups to both numbers."""
    gib = 1024**3
    for name, text in {
        "proc/meminfo": f"MemTotal: {64 * gib // 1024} kB\nMemAvailable: {32 * gib // 1024} kB\n",
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": f"{4 * gib}\n",
        "sys/fs/cgroup/memory.current": f"{gib}\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert read_ram("linux", tmp_path) == Ram(4 * gib, 3 * gib)
