"""The allocator's settings, in a separate process: they cannot be taken back."""

import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CODE = """
import ctypes, sys, threading
from gglib.system.malloc_tuning import tune_malloc
has_effect = sys.argv[1] == "tuned" and tune_malloc()
together = threading.Barrier(6)

def work():
    together.wait()
    kept = [bytearray(5000) for _ in range(50)]
    together.wait()

threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in "arena ordblks smblks hblks hblkhd a b c d e".split()]

libc.mallinfo.restype = Info
del bytearray(960_000)[:]  # freed: by default, the next one comes from the heap
before = libc.mallinfo().hblkhd
large = bytearray(960_000)
is_mapped = libc.mallinfo().hblkhd - before >= len(large)
print(has_effect, open(sys.argv[2]).read().count("<heap nr="), is_mapped)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_threads_share_two_heaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six threads at once have up to six without it. The user's own limit goes first."""
    run = runner(tmp_path, monkeypatch)
    assert run("tuned")[:2] == ["True", "2"]
    assert int(run("as it is")[1]) > 2
    monkeypatch.setenv("MALLOC_ARENA_MAX", "3")
    assert run("tuned")[:2] == ["True", "3"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_large_blocks_are_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a mapping of its own, also after one was freed. The user's own limit goes first."""
    run = runner(tmp_path, monkeypatch)
    assert run("tuned")[2] == "True"
    assert run("as it is")[2] == "False"
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "4000000")
    assert run("tuned")[2] == "False"


def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Return a function that runs the code without variables of glibc, and returns the words that it prints."""
    for name in ("MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
        monkeypatch.delenv(name, raising=False)

    def run(mode: str) -> list[str]:
        command = [sys.executable, "-c", CODE, mode, f"{tmp_path}/info.xml"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.split()

    return run
