"""The process that is a driver of Ray for the front: ``python -m gglib.nodes.ray.sidecar SOCKET ADDRESS [NODE_IP]``.

It sends the members as JSON lines over a unix socket, and ends with the socket. It may end at any time, for
example when Ray ends its driver: the front starts another one.
"""

import os
import select
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from time import monotonic, sleep

from gglib.nodes.ray.agents import AgentCalls, agent_names, connected, raylets
from gglib.nodes.ray.messages import AgentReport, Member, Members, Message, Trouble, to_line

INTERVAL_S = 1.0
ANSWER_S = 1.0
"""How long agents have for an answer; their nodes are asked again a moment later."""
SILENCE_S = 10.0
"""Calls that concern the whole cluster wait as long as its head is away."""


class Sidecar:
    """Writes to the front, from two threads: one asks the cluster, the other sees that it does not answer."""

    def __init__(self, front: socket.socket, address: str) -> None:
        self._front = front
        self._address = address
        self._writing = threading.Lock()
        self._last_s = monotonic()

    def run(self, node_ip: str | None) -> None:
        """Report the members until the process ends."""
        threading.Thread(target=self._watch_front, name="front", daemon=True).start()
        with connected(self._address, node_ip) as cluster:
            calls = AgentCalls()
            while True:
                names = agent_names()
                members = members_of(names, raylets(), calls.ask(names, ANSWER_S))
                self._last_s = monotonic()
                self._send(Members(cluster=cluster, members=members))
                sleep(INTERVAL_S)

    def _watch_front(self) -> None:
        """End the process with the front, and report a cluster that does not answer."""
        while True:
            readable, _, _ = select.select([self._front], [], [], INTERVAL_S)
            if readable and not self._front.recv(1):
                os._exit(0)
            if monotonic() - self._last_s > SILENCE_S:
                reason = f"The head of the cluster at {self._address} does not answer."
                self._send(Trouble(reason=reason))

    def _send(self, message: Message) -> None:
        with self._writing:
            try:
                self._front.sendall(to_line(message))
            except OSError:
                os._exit(0)


def members_of(
    names: Sequence[str], nodes: Mapping[str, tuple[str, bool]], reports: Mapping[str, AgentReport]
) -> tuple[Member, ...]:
    """Return the members from what Ray knows."""
    return tuple(
        Member(
            name=name,
            address=nodes.get(name, ("", False))[0],
            is_connected=nodes.get(name, ("", False))[1],
            report=reports.get(name),
        )
        for name in names
    )


def main(arguments: Sequence[str]) -> None:
    """Connect to the front, then to the cluster."""
    path, address, *node_ip = arguments
    front = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    front.connect(path)
    Sidecar(front, address).run(next(iter(node_ip), None))


if __name__ == "__main__":
    main(sys.argv[1:])
