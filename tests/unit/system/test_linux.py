"""The memory of a Linux machine, within the limits of a container."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gglib.system.linux import read_linux_memory, read_oom_kills
from gglib.system.ram import Ram

GIB = 1024**3
MEMINFO = "MemTotal:       16777216 kB\nMemFree:         1000000 kB\nMemAvailable:    8388608 kB\nHugePages_Total: 0\n"

Write = Callable[[dict[str, str]], Path]


@pytest.fixture
def root_of(tmp_path: Path) -> Write:
    """Give a function that writes virtual files below a root."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def _v2(group: str, limit: str, usage: int, stat: str = "") -> dict[str, str]:
    folder = f"sys/fs/cgroup{group}"
    return {
        f"{folder}/memory.max": f"{limit}\n",
        f"{folder}/memory.current": f"{usage}\n",
        f"{folder}/memory.stat": stat,
    }


def test_memory_without_limits(root_of: Write) -> None:
    """Without limits, total and available memory are those of the machine."""
    assert read_linux_memory(root_of({"proc/meminfo": MEMINFO})) == Ram(16 * GIB, 8 * GIB)


def test_missing_files_give_no_memory(tmp_path: Path) -> None:
    """A system without these files is not an error: the memory is unknown."""
    assert read_linux_memory(tmp_path) == Ram(None, None)


@pytest.mark.parametrize("meminfo", ["", "MemTotal: many kB\n", "MemAvailable\n", "\x00\xff"])
def test_invalid_lines_are_ignored(meminfo: str, root_of: Write) -> None:
    """Invalid lines are ignored."""
    assert read_linux_memory(root_of({"proc/meminfo": meminfo})) == Ram(None, None)


def test_limit_of_a_container_counts(root_of: Write) -> None:
    """A container's limit is its memory; pages of files in it count as free."""
    stat = f"anon {GIB}\ninactive_file {GIB}\nactive_file {GIB // 2}\n"
    files = {"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/\n", **_v2("", str(4 * GIB), 3 * GIB, stat)}

    assert read_linux_memory(root_of(files)) == Ram(4 * GIB, 4 * GIB - 3 * GIB // 2)


def test_tightest_limit_of_the_hierarchy_counts(root_of: Write) -> None:
    """A group is subject to the limits of all its parents; unlimited ones are ignored."""
    files = {
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "0::/user/app\n",
        **_v2("/user/app", "max", GIB),
        **_v2("/user", str(6 * GIB), 5 * GIB),
    }

    assert read_linux_memory(root_of(files)) == Ram(6 * GIB, GIB)


def test_machine_counts_if_it_has_less_than_the_limit(root_of: Write) -> None:
    """A limit above the free memory changes nothing."""
    files = {"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/\n", **_v2("", str(64 * GIB), 0)}

    assert read_linux_memory(root_of(files)) == Ram(16 * GIB, 8 * GIB)


def test_group_over_its_limit_has_nothing(root_of: Write) -> None:
    """The available memory is never below zero."""
    files = {"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/\n", **_v2("", str(GIB), 2 * GIB)}

    assert read_linux_memory(root_of(files)) == Ram(GIB, 0)


def test_version_1_control_groups(root_of: Write) -> None:
    """Version 1 has other names, and its path may be missing inside a container."""
    folder = "sys/fs/cgroup/memory"
    files = {
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "9:name=systemd:/\n4:memory:/docker/abc\n0::/\n",
        f"{folder}/memory.limit_in_bytes": f"{2 * GIB}\n",
        f"{folder}/memory.usage_in_bytes": f"{GIB}\n",
        f"{folder}/memory.stat": f"total_inactive_file {GIB // 4}\ntotal_active_file 0\n",
    }

    assert read_linux_memory(root_of(files)) == Ram(2 * GIB, GIB + GIB // 4)


def test_no_limit_of_version_1_is_none(root_of: Write) -> None:
    """Version 1 writes a huge number where there is no limit."""
    folder = "sys/fs/cgroup/memory"
    files = {
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "4:cpu,memory:/\n",
        f"{folder}/memory.limit_in_bytes": "9223372036854771712\n",
        f"{folder}/memory.usage_in_bytes": f"{GIB}\n",
    }

    assert read_linux_memory(root_of(files)) == Ram(16 * GIB, 8 * GIB)


def test_path_outside_the_namespace_is_not_followed(root_of: Write) -> None:
    """A group path outside the mount is treated as the mount itself."""
    files = {
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "0::/../../elsewhere\n",
        **_v2("", str(3 * GIB), GIB),
        "sys/elsewhere/memory.max": "1\n",
        "sys/elsewhere/memory.current": "0\n",
    }

    assert read_linux_memory(root_of(files)) == Ram(3 * GIB, 2 * GIB)


@pytest.mark.parametrize(
    ("files", "kills"),
    [
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/memory.events": "low 0\noom 4\noom_kill 3\n",
            },
            3,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/a\n0::/\n",
                "sys/fs/cgroup/memory/a/memory.oom_control": "oom_kill 2\n",
            },
            2,
        ),
        # A container sees its own group as the mount itself.
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/memory.events": "oom_kill 1\n"}, 1),
        # What the groups around it lost is not ours.
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/memory.events": "oom_kill 0\n",
                "sys/fs/cgroup/a/memory.events": "oom_kill 9\n",
                "proc/vmstat": "oom_kill 12\n",
            },
            0,
        ),
        ({"proc/self/cgroup": "0::/\n", "proc/vmstat": "nr_free_pages 7\noom_kill 5\n"}, 5),
        ({"proc/self/cgroup": "0::/\n"}, None),
        ({}, None),
    ],
)
def test_out_of_memory_kills_are_counted_by_the_own_group(
    files: dict[str, str], kills: int | None, root_of: Write
) -> None:
    """The innermost group with a counter, of either version; without one the machine's counter."""
    assert read_oom_kills(root_of(files)) == kills
