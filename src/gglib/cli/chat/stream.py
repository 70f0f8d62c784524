"""Streams a chat completion from a running server."""

from collections.abc import Iterator
from contextlib import contextmanager

from gglib.cli.chat.conversation import CHAT_PATH
from gglib.cli.chat.response import ChatStream
from gglib.cli.server.client import stream_post
from gglib.core.addresses import Endpoint


@contextmanager
def stream_chat(server: Endpoint, body: dict[str, object]) -> Iterator[ChatStream]:
    """Send the request and yield the parts of the response; leaving the block cancels it. Raises ``GglibError``."""
    with stream_post(server, CHAT_PATH, body) as lines:
        yield ChatStream(lines)
