"""Cores, processor time and memory of processes, from Linux's /proc, and a description of the machine."""

import os
import platform
import resource
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
Pids = Sequence[int]


@dataclass(frozen=True, slots=True)
class Cores:
    """The cores of each part: the proxy has a core of its own if the machine has two."""

    proxy: frozenset[int]
    load: frozenset[int]

    @classmethod
    def of_this_machine(cls) -> "Cores":
        """Assign the last core to the proxy (the first often handles interrupts), the others to load and upstream."""
        cores = sorted(os.sched_getaffinity(0))
        return cls(frozenset(cores[-1:]), frozenset(cores[:-1] or cores))

    def __str__(self) -> str:
        if self.proxy == self.load:
            return "all on the only core"
        count = len(self.load)
        return f"the proxy pinned to one core, load and upstream to {'another' if count == 1 else f'{count} others'}"


@contextmanager
def pinned(cores: Iterable[int]) -> Iterator[None]:
    """Run the processes that the block starts on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin(pid: int, cores: Iterable[int]) -> None:
    """Move a running process and all its threads to these cores."""
    wanted = set(cores)
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), wanted)


def raise_descriptor_limit() -> int:
    """Raise the limit of open files to the hard limit, for this process and its children."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def children(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def cpu_s(pids: Pids) -> float:
    """Return the processor time that processes have used, in seconds, to 10 ms."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_S


def pss_mb(pids: Pids) -> float:
    """Return the resident memory of processes, in MB; shared pages are counted once."""
    return sum(_kib(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") for pid in pids) * 1024 / 1e6


def peak_rss_mb(pids: Pids) -> float:
    """Return the peak resident memory since the last ``forget_peaks``, in MB."""
    return sum(_kib(Path(f"/proc/{pid}/status"), "VmHWM:") for pid in pids) * 1024 / 1e6


def forget_peaks(pids: Pids) -> None:
    """Reset the peak to the current resident memory (proc(5), clear_refs)."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


@dataclass(frozen=True, slots=True)
class Usage:
    """The share of a core that each part used over a window; 1.0 is a whole core."""

    wall_s: float
    proxy: float
    upstream: float
    load: float
    others_beside_proxy: float
    """Processes outside this run on the proxy's core, which take time from the proxy."""
    others_beside_load: float

    @property
    def proxy_cpu_s(self) -> float:
        """The proxy's processor time."""
        return self.proxy * self.wall_s

    def as_figures(self) -> dict[str, float]:
        """Return the shares by name."""
        return {
            "proxy_busy": self.proxy,
            "upstream_busy": self.upstream,
            "load_busy": self.load,
            "others_beside_proxy": self.others_beside_proxy,
            "others_beside_load": self.others_beside_load,
        }


class UsageWindow:
    """Measures from its creation to ``close``. The caller runs on the load's cores."""

    def __init__(self, proxy: Pids, upstream: Pids) -> None:
        self._groups = (proxy, upstream)
        self._cores = (os.sched_getaffinity(proxy[0]) if proxy else set(), os.sched_getaffinity(0))
        self._before = self._now()

    def close(self, load_cpu_s: float) -> Usage:
        """Close the window; the load's processor time is an argument, since its process may have ended."""
        wall_s, *used_s = (now - before for now, before in zip(self._now(), self._before, strict=True))
        proxy, upstream, proxy_cores, load_cores = (seconds / wall_s for seconds in used_s)
        load = load_cpu_s / wall_s
        return Usage(
            wall_s=wall_s,
            proxy=proxy,
            upstream=upstream,
            load=load,
            others_beside_proxy=max(proxy_cores - proxy, 0.0),
            others_beside_load=max(load_cores - upstream - load, 0.0),
        )

    def _now(self) -> tuple[float, ...]:
        used = (cpu_s(pids) for pids in self._groups)
        return (time.perf_counter(), *used, *(_busy_s(cores) for cores in self._cores))


def _busy_s(cores: Iterable[int]) -> float:
    """Return the busy time of cores since boot, in seconds; time stolen by the hypervisor counts as busy."""
    names = {f"cpu{core}" for core in cores}
    ticks = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name in names:
            user, nice, system, _idle, _iowait, *interrupts_and_steal = map(int, fields[:8])
            ticks += user + nice + system + sum(interrupts_and_steal)
    return ticks / TICKS_PER_S


def kind() -> str:
    """Return a description of the machine."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    description = f"{_processor()}, {platform.machine()}, {memory_gb:.0f} GB"
    return f"a {os.cpu_count()}-core {platform.system()} machine ({description})"


def versions(programs: Iterable[str]) -> dict[str, str]:
    """Return the versions of the programs by name."""
    packages = ("gglib", "uvloop", "xllamacpp")
    own = {"Linux": platform.release().split("-")[0], "Python": _python()}
    asked = {program: _ask_version(program) for program in programs}
    return own | {name: version(name) for name in packages if _is_installed(name)} | asked


def _python() -> str:
    """Return Python's version and build: profile-guided builds, as in distributions, are a fifth faster."""
    if sys.base_prefix == "/usr":
        build = "the distribution's"
    elif "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""):
        build = "built with profiles"
    else:
        build = "built without profiles"
    return f"{platform.python_version()} ({build})"


def _is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except ModuleNotFoundError:
        return False


def _ask_version(program: str) -> str:
    question = {"nginx": "-v", "caddy": "version", "wrk": "-v"}[program]
    description = subprocess.run([program, question], capture_output=True, text=True, check=False)
    words = (description.stdout + description.stderr).replace("/", " ").split()
    return next((word for word in words if word.strip("v")[:1].isdigit()), "unknown")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def _kib(path: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(name))
