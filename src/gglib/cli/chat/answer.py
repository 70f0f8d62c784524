"""Asks a model through a running proxy, and hands on its answer as it arrives."""

from collections.abc import Iterator
from contextlib import contextmanager

from gglib.cli.chat.conversation import CHAT_PATH, Piece, pieces_of
from gglib.cli.server.client import streamed
from gglib.core.addresses import Endpoint


@contextmanager
def answer_to(server: Endpoint, body: dict[str, object]) -> Iterator[Iterator[Piece]]:
    """Send the request and yield the pieces of the answer; leaving the block ends the answer. Raises ``GglibError``."""
    with streamed(server, CHAT_PATH, body) as lines:
        yield pieces_of(lines)
