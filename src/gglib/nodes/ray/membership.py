"""The nodes of a cluster as the front knows them. Pure.

What is known goes on while the head or the sidecar is away. A node leaves only when its own cluster says that it left:
its agent is removed by ``gglib node leave``. One whose raylet died stays, because its gglib goes on.
"""

import re

from gglib.core.addresses import base_url
from gglib.nodes.peers.peer import Peer
from gglib.nodes.ray.messages import AgentReport, Member, Members

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}")


def is_member_name(name: str) -> bool:
    """Whether a node of a cluster can be called so. Ray's labels may not end with ``.``, ``-`` or ``_``."""
    return bool(_NAME.fullmatch(name)) and name[-1].isalnum()


class Membership:
    """The nodes by name, and the cluster that each was last seen in."""

    def __init__(self) -> None:
        self._peers: dict[str, tuple[str, Peer]] = {}

    def receive(self, message: Members) -> bool:
        """Take over what a cluster says; returns whether ``peers`` differ now."""
        before = self.peers()
        names = {member.name for member in message.members}
        self._peers = {
            name: (cluster, peer)
            for name, (cluster, peer) in self._peers.items()
            if name in names or cluster != message.cluster
        }
        for member in message.members:
            peer = _peer(member)
            if peer is not None:
                self._peers[member.name] = (message.cluster, peer)
        return self.peers() != before

    def peers(self) -> tuple[Peer, ...]:
        """Return the nodes whose address is known, sorted by name."""
        return tuple(peer for _, (_, peer) in sorted(self._peers.items()))


def _peer(member: Member) -> Peer | None:
    """Return how a node is reached; None if nothing new is known of that."""
    report = member.report
    if report is None or report.url is None or not is_member_name(member.name):
        return None
    try:
        url = base_url(report.url)
    except ValueError:
        return None
    return Peer(name=member.name, url=url, key=_key(report))


def _key(report: AgentReport) -> str | None:
    """Return a key that can be sent; a value that cannot be one is none."""
    key = report.key
    return key if key and key.isascii() and key.isprintable() else None
