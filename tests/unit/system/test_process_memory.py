"""The memory of process groups."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gglib.system.process_memory import GroupMemory, read_groups

KIB = 1024
ROLLUP = """00400000-7ffd30284000 ---p 00000000 00:00 0  [rollup]
Rss:                 900 kB
Pss:                 700 kB
Pss_Anon:            300 kB
Pss_File:            350 kB
Pss_Shmem:            50 kB
Anonymous:           300 kB
SwapPss:              10 kB
Locked:              200 kB
"""
OLD_ROLLUP = "".join(line + "\n" for line in ROLLUP.splitlines() if "Pss_" not in line)
STATUS = (
    "Name: x\nRssAnon:\t 300 kB\nRssFile:\t 500 kB\nRssShmem:\t 100 kB\nVmSwap:\t 20 kB\nVmLck:\t 200 kB\n"
)


def process(root: Path, pid: int, group_id: int, **files: str) -> None:
    """Write the virtual files of a process."""
    folder = root / "proc" / str(pid)
    folder.mkdir(parents=True)
    (folder / "stat").write_text(f"{pid} (a) b) S 1 {group_id} {group_id} 0 -1")
    for name, text in files.items():
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("rollup", "memory"),
    [
        (ROLLUP, GroupMemory(frozenset({7}), 350 * KIB, 350 * KIB, 10 * KIB, 200 * KIB)),
        (OLD_ROLLUP, GroupMemory(frozenset({7}), 300 * KIB, 400 * KIB, 10 * KIB, 200 * KIB)),
        ("", GroupMemory(frozenset({7}), 400 * KIB, 500 * KIB, 20 * KIB, 200 * KIB)),
    ],
    ids=["linux 5.4", "older", "not permitted"],
)
def test_proportional_memory_of_a_process(tmp_path: Path, rollup: str, memory: GroupMemory) -> None:
    """PSS by kind, where the kernel has it; else the resident size."""
    process(tmp_path, 7, 7, smaps_rollup=rollup, status=STATUS)
    found = read_groups([7], is_proportional=True, platform="linux", root=tmp_path)
    assert found == {7: memory}
    assert found[7].total_bytes == memory.anonymous_bytes + memory.file_bytes + memory.swapped_bytes


def test_locked_memory_that_is_not_of_files_is_anonymous(tmp_path: Path) -> None:
    """Weights without a mapped file: only the pages of libraries may be counted as locked."""
    status = "RssAnon: 900 kB\nRssFile: 30 kB\nVmLck: 800 kB\n"
    process(tmp_path, 7, 7, status=status)
    found = read_groups([7], is_proportional=False, platform="linux", root=tmp_path)
    assert found == {7: GroupMemory(frozenset({7}), 900 * KIB, 30 * KIB, 0, 30 * KIB)}


def test_all_processes_of_a_group_count(tmp_path: Path) -> None:
    """The guard and the engine are one group; other groups and exited processes do not count."""
    process(tmp_path, 7, 7, status=STATUS)
    process(tmp_path, 8, 7, status="RssAnon: 1 kB\n")
    process(tmp_path, 9, 9, status=STATUS)
    process(tmp_path, 10, 7, status="State: Z (zombie)\n")
    (tmp_path / "proc" / "11").mkdir()
    found = read_groups([7, 12], is_proportional=False, platform="linux", root=tmp_path)
    assert found == {7: GroupMemory(frozenset({7, 8}), 401 * KIB, 500 * KIB, 20 * KIB, 200 * KIB)}


def test_descendants_of_a_leader_are_found_without_a_scan(tmp_path: Path) -> None:
    """Children of any thread count, but not those in another group; a loop of reused ids ends."""
    for pid, group_id, children in ((7, 7, "8 9 "), (8, 7, "10 7"), (9, 9, ""), (10, 7, ""), (11, 7, "")):
        process(tmp_path, pid, group_id, status="RssAnon: 1 kB\n")
        for thread, listed in ((pid, ""), (pid + 1000, children)):
            (tmp_path / "proc" / str(pid) / "task" / str(thread)).mkdir(parents=True)
            (tmp_path / "proc" / str(pid) / "task" / str(thread) / "children").write_text(listed)
    found = read_groups([7, 99], is_proportional=False, platform="linux", root=tmp_path)
    assert found == {7: GroupMemory(frozenset({7, 8, 10}), 3 * KIB)}


def test_groups_of_a_mac() -> None:
    """``ps`` reports the resident size only; other lines are ignored."""
    output = "  7   7 100\n  7   8  50\n 9 9 1\nodd line\n"
    found = read_groups([7], is_proportional=True, platform="darwin", run=lambda _: output)
    assert found == {7: GroupMemory(frozenset({7, 8}), 150 * KIB)}


def test_nothing_to_read(tmp_path: Path) -> None:
    """No groups, and an unknown system."""
    assert read_groups([], is_proportional=True) == {}
    assert read_groups([7], is_proportional=True, platform="plan9", root=tmp_path) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_real_group() -> None:
    """A process that holds 32 MiB takes at least that much."""
    program = "held = bytearray(b'x') * (32 << 20); print(len(held), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        for is_proportional in (True, False):
            found = read_groups([child.pid], is_proportional=is_proportional)
            assert found[child.pid].anonymous_bytes > 32 << 20
            assert child.pid in found[child.pid].pids
        child.communicate(b"\n")
    assert os.getpgrp() != child.pid


def test_a_process_that_exits_while_it_is_read_has_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files of a process that has just exited fail with ESRCH, which ``Path.exists`` raises."""

    def gone(*_: object, **__: object) -> None:
        raise ProcessLookupError

    (tmp_path / "proc" / "7" / "task" / "7").mkdir(parents=True)
    (tmp_path / "proc" / "7" / "task" / "7" / "children").write_text("8")
    assert read_groups([7], is_proportional=True, platform="linux", root=tmp_path) == {}
    monkeypatch.setattr(Path, "iterdir", gone)
    assert read_groups([7], is_proportional=True, platform="linux", root=tmp_path) == {}
    monkeypatch.setattr(Path, "stat", gone)
    assert read_groups([7], is_proportional=True, platform="linux", root=tmp_path) == {}
