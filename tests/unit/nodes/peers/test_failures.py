"""The sentence for each reason not to use a node."""

from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.version import __version__
from gglib.http.errors import TlsFault
from gglib.nodes.peers import failures
from gglib.nodes.peers.peer import Peer

PEER = Peer(name="box", url="http://10.0.0.2:8080")
WITH_VARIABLE = replace(PEER, key_env="BOX_KEY")
WITH_KEY = replace(WITH_VARIABLE, key="secret-of-the-box")
SECURE = replace(WITH_KEY, url="https://box", ca_file=Path("/my certs/ca.pem"))


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        (
            failures.unreachable(PEER, "cannot be reached"),
            (
                "Node 'box' at http://10.0.0.2:8080 cannot be reached: check that 'gglib serve' runs there for other "
                "machines."
            ),
        ),
        (
            failures.untrusted(
                PEER, "has a certificate that is not trusted (self-signed)", TlsFault.UNTRUSTED
            ),
            (
                "Node 'box' at http://10.0.0.2:8080 has a certificate that is not trusted (self-signed): pass the "
                "certificate of its CA with 'gglib node add http://10.0.0.2:8080 --name box --ca FILE'."
            ),
        ),
        (
            failures.untrusted(PEER, "has a certificate that is not trusted (expired)", TlsFault.EXPIRED),
            "Node 'box' at http://10.0.0.2:8080 has a certificate that is not trusted (expired): renew it there.",
        ),
        (
            failures.untrusted(PEER, "does not speak TLS (wrong version number)", TlsFault.NOT_TLS),
            (
                "Node 'box' at http://10.0.0.2:8080 does not speak TLS (wrong version number): add its http:// address "
                "with 'gglib node add URL --name box'."
            ),
        ),
        (
            failures.no_certificates("/etc/ca.pem has no certificate in PEM"),
            "/etc/ca.pem has no certificate in PEM: name a file in PEM format with '--ca FILE'.",
        ),
        (
            failures.too_slow(PEER, 0.9),
            "Node 'box' at http://10.0.0.2:8080 did not answer within 0.9 s: check its machine and the network.",
        ),
        (
            failures.too_large(PEER, 4_000_000),
            "http://10.0.0.2:8080 sent a response of more than 4 MB: check that it is a gglib server.",
        ),
        (
            failures.failing(PEER, 502),
            "Node 'box' answered with status 502: look into its log with 'gglib logs' there.",
        ),
        (
            failures.internal_error(PEER),
            "Node 'box' cannot be probed because of an error in this gglib: 'gglib logs' shows it.",
        ),
        (
            failures.starting(PEER),
            "Node 'box' is starting: it gets requests as soon as it is ready.",
        ),
        (
            failures.not_gglib(PEER),
            (
                "No gglib answers at http://10.0.0.2:8080: set the address of a gglib server with 'gglib node add URL "
                "--name box'."
            ),
        ),
        (
            failures.https_required(PEER),
            (
                "Node 'box' at http://10.0.0.2:8080 serves HTTPS: add it with 'gglib node add https://10.0.0.2:8080 "
                "--name box'."
            ),
        ),
        (
            failures.https_required(WITH_VARIABLE),
            (
                "Node 'box' at http://10.0.0.2:8080 serves HTTPS: add it with 'gglib node add https://10.0.0.2:8080 "
                "--name box --key-env BOX_KEY'."
            ),
        ),
        (
            failures.other_version(PEER, "9.9\x1b[2J"),
            (
                f"Node 'box' runs gglib 9.9\\x1b[2J, whose responses gglib {__version__} cannot read: install the same "
                "version on both machines."
            ),
        ),
        (
            failures.itself(PEER),
            "http://10.0.0.2:8080 is this gglib itself: remove the node with 'gglib node remove box'.",
        ),
        (
            failures.same_as(PEER, "tower"),
            "http://10.0.0.2:8080 is the same gglib as node 'tower': remove one with 'gglib node remove box'.",
        ),
    ],
)
def test_each_reason_says_what_to_do(sentence: str, expected: str) -> None:
    """In one sentence."""
    assert sentence == expected


@pytest.mark.parametrize(
    ("sentence", "command"),
    [
        (
            failures.untrusted(SECURE, "is not trusted", TlsFault.UNTRUSTED),
            "'gglib node add https://box --name box --key-env BOX_KEY --ca FILE'",
        ),
        (
            failures.untrusted(SECURE, "has another name", TlsFault.WRONG_NAME),
            "\"gglib node add URL --name box --key-env BOX_KEY --ca '/my certs/ca.pem'\"",
        ),
        (
            failures.untrusted(SECURE, "does not speak TLS", TlsFault.NOT_TLS),
            "'gglib node add URL --name box --key-env BOX_KEY'",
        ),
        (
            failures.not_gglib(SECURE),
            "\"gglib node add URL --name box --key-env BOX_KEY --ca '/my certs/ca.pem'\"",
        ),
        (
            failures.key_refused(replace(SECURE, key_env=None, key=None), 401),
            "\"gglib node add https://box --name box --key-env VARIABLE --ca '/my certs/ca.pem'\"",
        ),
        (
            failures.key_refused(replace(PEER, url="http://[::1]:8080"), 401),
            "\"gglib node add 'http://[::1]:8080' --name box --key-env VARIABLE\"",
        ),
    ],
)
def test_the_command_keeps_the_key_and_the_certificates(sentence: str, command: str) -> None:
    """``gglib node add`` without them would remove them; shells expand brackets."""
    assert sentence.endswith(f"{command}.")


@pytest.mark.parametrize(
    ("peer", "status", "words"),
    [
        (PEER, 401, "--key-env VARIABLE"),
        (PEER, 403, "--key-env VARIABLE"),
        (WITH_VARIABLE, 401, "BOX_KEY has none"),
        (WITH_KEY, 401, "does not accept the key in BOX_KEY"),
        (WITH_KEY, 403, "The key in BOX_KEY has no admin rights"),
    ],
)
def test_a_refused_key_names_the_variable_and_never_the_key(peer: Peer, status: int, words: str) -> None:
    """And the command that makes a key."""
    sentence = failures.key_refused(peer, status)
    assert words in sentence
    assert "gglib key new front --admin" in sentence
    assert "secret" not in sentence + repr(peer)


@pytest.mark.parametrize(
    ("status", "message", "shown"),
    [
        (404, "There is no model 'x'.", "There is no model 'x'."),
        (500, "The load failed.\nlog line\nlog line", "The load failed."),
        (500, "\x1b[2Jx", "\\x1b[2Jx"),
        (500, "x" * 10_000, "x" * failures.MAX_MESSAGE_CHARS),
        (500, None, failures.failing(WITH_KEY, 500)),
        (500, " \n ", failures.failing(WITH_KEY, 500)),
        (401, "Nope.", failures.key_refused(WITH_KEY, 401)),
        (403, "Nope.", failures.key_refused(WITH_KEY, 403)),
    ],
)
def test_a_refused_command_shows_the_first_line_of_the_nodes_own_message(
    status: int, message: str | None, shown: str
) -> None:
    """Bounded, and without control characters."""
    assert failures.refused_command(WITH_KEY, status, message) == shown
