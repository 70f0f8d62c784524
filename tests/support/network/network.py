"""Hosts on a switch: each has network and process namespaces of its own, as a machine has.

The switch is a namespace with a bridge, and the parent of all hosts. Nothing has a name outside of it, and it ends
with the process that made it, however that ends: the kernel then removes processes, links and namespaces. So nothing
is left on the machine, and runs do not collide. Needs Linux, ``unshare`` and iproute2, and either root or user
namespaces: ``missing`` says what is not there.
"""

import functools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from tests.support.network.host import AGENT, Host, own_environment, pair

PROGRAMS = ("unshare", "ip", "bridge")
NAMESPACES = ("--net", "--pid", "--fork", "--kill-child", "--mount-proc")
_SUBNET = "10.77.0"
_CARD = "02:00:00:00:00"
_BRIDGE = "lan"
_EXIT_LIMIT_S = 30.0
_STDERR = 2


def _first_process(descriptor: int) -> list[str]:
    return [sys.executable, "-IS", str(AGENT), str(descriptor)]


def _unshare() -> list[str]:
    program = shutil.which("unshare") or "unshare"
    return [program, *(["--map-root-user"] if os.geteuid() else []), *NAMESPACES]


@functools.cache
def missing() -> str | None:
    """Return why this machine cannot run hosts, as a sentence; None if it can."""
    if sys.platform != "linux":
        return "Network namespaces exist on Linux only."
    for program in PROGRAMS:
        if shutil.which(program) is None:
            return f"The program {program} is not installed: it is in util-linux or iproute2."
    trial = [*_unshare(), "ip", "link", "add", "trial", "type", "bridge"]
    done = subprocess.run(trial, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"Namespaces with a bridge need root, or a kernel that lets users create them: {done.stderr.strip()}"
    return None


class Network:
    """A switch and its hosts for the length of a block."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self._numbers = {name: number for number, name in enumerate(names, 1)}
        self._ports: dict[str, str] = {}
        """The switch's end of each host's cable."""
        self._machines: dict[str, int] = {}
        """Process ids of the hosts in the switch's namespace."""
        self._power_ons = 0
        self.hosts: dict[str, Host] = {}

    def __enter__(self) -> Self:
        ours, theirs = pair()
        with theirs:
            self._process = subprocess.Popen(
                [*_unshare(), *_first_process(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._switch = Host("switch", ours)
        try:
            self._switch.run("ip", "link", "add", _BRIDGE, "type", "bridge")
            self._switch.run("ip", "link", "set", _BRIDGE, "up")
            for name in self._names:
                self.power_on(name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all hosts."""
        for host in self.hosts.values():
            host.close()
        self._switch.close()
        try:
            self._process.wait(_EXIT_LIMIT_S)
        finally:
            self._process.kill()
            self._process.wait()

    def power_on(self, name: str) -> Host:
        """Start a host, with its cable plugged in and no other process than its first."""
        self._power_ons += 1
        port, address = f"p{self._power_ons}", f"{_SUBNET}.{self._numbers[name]}"
        ours, theirs = pair()
        with theirs:
            command = [*_unshare_again(), *_first_process(3)]
            machine = self._switch.start(command, _STDERR, own_environment(), theirs)
        host = Host(name, ours, address)
        on_switch, on_host = self._switch.run, host.run
        card = f"address {_CARD}:{self._numbers[name]:02x}"  # stays: others keep it in their tables of neighbours
        on_switch(*_words(f"ip link add {port} type veth peer name eth0 {card} netns {machine}"))
        on_switch(*_words(f"ip link set {port} master {_BRIDGE} up"))
        on_host(*_words("ip link set lo up"))
        on_host(*_words(f"ip addr add {address}/24 dev eth0"))
        on_host(*_words("ip link set eth0 up"))
        self.hosts[name], self._ports[name], self._machines[name] = host, port, machine
        return host

    def power_off(self, name: str) -> None:
        """End a host as a machine without power ends: its cable is dead first, so nothing of its end is sent."""
        self._switch.run(*_words(f"ip link set {self._ports[name]} down"))
        self._switch.kill(self._machines[name], signal.SIGKILL)
        self.hosts.pop(name).close()

    def cut(self, *names: str) -> None:
        """Let nothing pass between these hosts. They do not notice: their links stay up. Others reach all of them."""
        self._isolate(names, "on")

    def mend(self, *names: str) -> None:
        """Undo ``cut``."""
        self._isolate(names, "off")

    def processes(self) -> dict[str, dict[int, str]]:
        """Return the command lines of all processes by host and process id, without the first of each."""
        return {name: host.processes() for name, host in self.hosts.items()}

    def _isolate(self, names: Iterable[str], state: str) -> None:
        for name in names:
            self._switch.run(*_words(f"bridge link set dev {self._ports[name]} isolated {state}"))


def _unshare_again() -> list[str]:
    """Return the command for namespaces within those of the switch, where the user is root."""
    return [shutil.which("unshare") or "unshare", *NAMESPACES]


def _words(command: str) -> Sequence[str]:
    return command.split()
