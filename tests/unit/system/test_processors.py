"""The processor cores that this process may use."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gglib.system import read_cores, read_processor_name
from gglib.system.processors import count_cores

Write = Callable[[dict[str, str]], Path]
OWN_GROUP = {"proc/self/cgroup": "0::/\n"}


@pytest.fixture
def root_of(tmp_path: Path) -> Write:
    """Return a function that writes virtual files below a root."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def siblings(*cores: str) -> dict[str, str]:
    """Return the topology of cores with these CPUs each, such as ``0,4``."""
    return {
        f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list": f"{core}\n"
        for core in cores
        for cpu in core.split(",")
    }


def test_threads_of_a_core_count_once(root_of: Write) -> None:
    """Four CPUs on two cores are two, and so is one CPU of each core."""
    root = root_of(siblings("0,2", "1,3"))
    assert count_cores(root, range(4)) == 2
    assert count_cores(root, {2, 3}) == 2
    assert count_cores(root, {0, 2}) == 1


def test_cpus_without_a_topology_are_cores(tmp_path: Path) -> None:
    """Without virtual files each CPU counts; there is always one."""
    assert count_cores(tmp_path, range(6)) == 6
    assert count_cores(tmp_path, ()) == 1


@pytest.mark.parametrize(("fast", "cores"), [("0-3\n", 4), ("0,2\n", 2), ("64\n", 8), ("", 8), ("0-x\n", 8)])
def test_efficiency_cores_do_not_count(root_of: Write, fast: str, cores: int) -> None:
    """On a hybrid processor the others do, if the process may use any."""
    assert count_cores(root_of({"sys/devices/cpu_core/cpus": fast}), range(8)) == cores


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("50000 100000", 1),
        ("max 100000", 8),
        ("900000 100000", 8),
    ],
)
def test_quota_of_a_container_is_a_limit(root_of: Write, quota: str, cores: int) -> None:
    """``docker run --cpus 1.5`` gives two cores."""
    assert count_cores(root_of(OWN_GROUP | {"sys/fs/cgroup/cpu.max": f"{quota}\n"}), range(8)) == cores


@pytest.mark.parametrize("text", ["", "100000", "100000 0", "a b"])
def test_invalid_quotas_are_ignored(root_of: Write, text: str) -> None:
    """Invalid files are ignored."""
    assert count_cores(root_of(OWN_GROUP | {"sys/fs/cgroup/cpu.max": text}), range(8)) == 8


def test_smallest_quota_of_the_outer_groups_counts(root_of: Write) -> None:
    """A group's quota is a limit for its subgroups, in both versions of control groups."""
    v2 = {
        "proc/self/cgroup": "0::/a/b\n",
        "sys/fs/cgroup/a/cpu.max": "300000 100000\n",
        "sys/fs/cgroup/a/b/cpu.max": "500000 100000\n",
    }
    assert count_cores(root_of(v2), range(8)) == 3
    v1 = {
        "proc/self/cgroup": "4:cpuacct,cpu:/job\n3:memory:/job\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "200000\n",
        "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000\n",
    }
    assert count_cores(root_of(v1), range(8)) == 2


def test_this_machine_has_cores() -> None:
    """The real files are readable; on other systems than Linux the number is unknown."""
    cores = read_cores()
    assert cores is None or cores >= 1


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("processor\t: 0\nmodel name\t: Some CPU @ 2.0GHz \nmodel name\t: other\n", "Some CPU @ 2.0GHz"),
        ("processor\t: 0\nBogoMIPS\t: 1\n\nModel\t\t: Raspberry Pi 5\n", "Raspberry Pi 5"),
        ("model name\t:\n", None),
        ("", None),
    ],
)
def test_the_processor_has_a_name(root_of: Write, cpuinfo: str, expected: str | None) -> None:
    """That of the first one; None if the system has none."""
    assert read_processor_name("linux", root_of({"proc/cpuinfo": cpuinfo})) == expected
    assert read_processor_name("other") is None
