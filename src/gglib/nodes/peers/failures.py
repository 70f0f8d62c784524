"""Why a node by address is not used, one sentence each. Pure."""

from dataclasses import replace

from gglib.core.plain_text import escape_line
from gglib.core.shell_quoting import quoted_command
from gglib.core.sizes import format_size
from gglib.core.version import __version__
from gglib.http.errors import TlsFault
from gglib.nodes.peers.peer import Peer

UNAUTHORIZED, FORBIDDEN = 401, 403
MAX_MESSAGE_CHARS = 500
"""The longest message of a node that is shown."""


class PeerFailedError(Exception):
    """An exchange with a node failed, and the next one may succeed. The message is a sentence."""


class PeerRefusedError(Exception):
    """A node answered, but this gglib cannot use it. The message is a sentence."""


def unreachable(peer: Peer, reason: str) -> str:
    """Return the sentence for a failed exchange; ``reason`` is that of ``TransportError``."""
    return (
        f"Node '{peer.name}' at {peer.url} {reason}: check that 'gglib serve' runs there for other machines."
    )


def untrusted(peer: Peer, reason: str, fault: TlsFault) -> str:
    """Return the sentence for TLS that failed; ``reason`` and ``fault`` are those of ``TlsError``."""
    advice = {
        TlsFault.UNTRUSTED: f"pass the certificate of its CA with {_add_again(peer, peer.url, ca='FILE')}",
        TlsFault.EXPIRED: "renew it there",
        TlsFault.NOT_YET_VALID: "check the clocks of both machines",
        TlsFault.WRONG_NAME: f"use a name that it is for: {_add_again(peer, 'URL')}",
        TlsFault.NOT_TLS: f"add its http:// address with {_add_again(replace(peer, ca_file=None), 'URL')}",
        TlsFault.OTHER: "'gglib logs' there has the reason with log_level = \"debug\"",
    }
    return f"Node '{peer.name}' at {peer.url} {reason}: {advice[fault]}."


def no_certificates(problem: str) -> str:
    """Return the sentence for a file of certificates that cannot be used; ``problem`` names it."""
    return f"{problem}: name a file in PEM format with '--ca FILE'."


def too_slow(peer: Peer, limit_s: float) -> str:
    """Return the sentence for a node that sent no whole response in time."""
    return f"Node '{peer.name}' at {peer.url} did not answer within {limit_s:g} s: check its machine and the network."


def too_large(peer: Peer, limit_bytes: int) -> str:
    """Return the sentence for a response that is larger than any of gglib's."""
    return f"{peer.url} sent a response of more than {format_size(limit_bytes)}: check that it is a gglib server."


def failing(peer: Peer, status: int) -> str:
    """Return the sentence for a response that reports a fault of the node, or of a proxy in front of it."""
    return f"Node '{peer.name}' answered with status {status}: look into its log with 'gglib logs' there."


def internal_error(peer: Peer) -> str:
    """Return the sentence for a probe that failed because of a bug."""
    return f"Node '{peer.name}' cannot be probed because of an error in this gglib: 'gglib logs' shows it."


def starting(peer: Peer) -> str:
    """Return the sentence for a node that is not ready yet."""
    return f"Node '{peer.name}' is starting: it gets requests as soon as it is ready."


def not_gglib(peer: Peer) -> str:
    """Return the sentence for another server."""
    return (
        f"No gglib answers at {peer.url}: set the address of a gglib server with {_add_again(peer, 'URL')}."
    )


def https_required(peer: Peer) -> str:
    """Return the sentence for a gglib that serves HTTPS, at an address with ``http``."""
    address = peer.url.replace("http://", "https://", 1)
    return f"Node '{peer.name}' at {peer.url} serves HTTPS: add it with {_add_again(peer, address)}."


def other_version(peer: Peer, version: str) -> str:
    """Return the sentence for a gglib whose responses cannot be read."""
    return (
        f"Node '{peer.name}' runs gglib {escape_line(version)[:40]}, whose responses gglib {__version__} cannot read: "
        "install the same version on both machines."
    )


def itself(peer: Peer) -> str:
    """Return the sentence for a node that is the front itself."""
    return f"{peer.url} is this gglib itself: remove the node with 'gglib node remove {peer.name}'."


def same_as(peer: Peer, other: str) -> str:
    """Return the sentence for a gglib that is known under another name."""
    return f"{peer.url} is the same gglib as node '{other}': remove one with 'gglib node remove {peer.name}'."


def key_refused(peer: Peer, status: int) -> str:
    """Return the sentence for a response with status 401 or 403."""
    remedy = "a key from 'gglib key new front --admin' on its machine"
    if peer.key_env is None:
        return (
            f"Node '{peer.name}' requires a key: set an environment variable to {remedy}, and name it with "
            f"{_add_again(peer, peer.url, key_env='VARIABLE')}."
        )
    if peer.key is None:
        return (
            f"Node '{peer.name}' requires a key, and {peer.key_env} has none: set it to {remedy}, also for "
            "'gglib serve', which reads it when it starts."
        )
    if status == UNAUTHORIZED:
        return f"Node '{peer.name}' does not accept the key in {peer.key_env}: set it to {remedy}."
    return f"The key in {peer.key_env} has no admin rights at node '{peer.name}': set it to {remedy}."


def refused_command(peer: Peer, status: int, message: str | None) -> str:
    """Return the node's own message for a command that it refused, on one line."""
    if status in {UNAUTHORIZED, FORBIDDEN}:
        return key_refused(peer, status)
    lines = (message or "").strip().splitlines()  # the last log lines of an engine may follow
    return escape_line(lines[0])[:MAX_MESSAGE_CHARS] if lines else failing(peer, status)


def _add_again(peer: Peer, url: str, *, key_env: str | None = None, ca: str | None = None) -> str:
    """Return the command that changes a node, in quotes. Key and certificates that it does not name are removed."""
    key_env = key_env or peer.key_env
    ca = ca or (None if peer.ca_file is None else str(peer.ca_file))
    options = [("--name", peer.name), ("--key-env", key_env), ("--ca", ca)]
    words = [word for option, value in options if value is not None for word in (option, value)]
    return quoted_command("node", "add", url, *words)
