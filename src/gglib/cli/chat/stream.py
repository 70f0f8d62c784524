"""Streams a chat completion from a running server."""

from collections.abc import Iterator
from contextlib import contextmanager

from gglib.cli.chat.conversation import CHAT_PATH, ChatDelta, read_deltas
from gglib.cli.server.client import stream_post
from gglib.core.addresses import Endpoint


@contextmanager
def stream_chat(server: Endpoint, body: dict[str, object]) -> Iterator[Iterator[ChatDelta]]:
    """Send the request and yield the parts of the response; leaving the block cancels it. Raises ``GglibError``."""
    with stream_post(server, CHAT_PATH, body) as lines:
        yield read_deltas(lines)
