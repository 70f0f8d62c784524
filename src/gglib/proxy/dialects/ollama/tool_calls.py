"""Collects the tool calls of a response, and encodes them for Ollama's clients. Pure.

llama-server streams a call in pieces: name and id first, then the arguments as parts of a JSON text. Ollama's clients
expect it whole, with the arguments as an object.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from gglib.proxy.errors import EngineError


class ToolCallCollector:
    """Joins the pieces of tool calls. Arguments keep their JSON; only white space between tokens is removed."""

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}
        self._encoded = 0

    def add(self, pieces: Iterable[Any]) -> None:
        """Add the pieces of one event, or the calls of a complete message."""
        for number, piece in enumerate(pieces):
            index = piece.get("index", number)
            call = self._calls.setdefault(index, _Call())
            call.id_ += piece.get("id") or ""
            function = piece.get("function") or {}
            call.name += function.get("name") or ""
            call.arguments.append(function.get("arguments") or "")

    def take_complete(self, *, is_final: bool) -> bytes:
        """Return the encoded calls that are complete and not yet returned, as an array; b"" if there are none.

        A call is complete once the next one has begun, or at the end. Raises ``EngineError`` for a complete call whose
        arguments are no JSON object.
        """
        ready = list(self._calls.values())[self._encoded : None if is_final else -1]
        first, self._encoded = self._encoded, self._encoded + len(ready)
        return _array([call.encoded(first + number) for number, call in enumerate(ready)])

    def drop_truncated(self) -> None:
        """Drop the last call if its arguments are incomplete, because the response reached its token limit."""
        if self._calls and not next(reversed(self._calls.values())).is_whole:
            self._calls.popitem()


class _Call:
    def __init__(self) -> None:
        self.id_ = ""
        self.name = ""
        self.arguments: list[str] = []

    @property
    def is_whole(self) -> bool:
        try:
            self._object()
        except EngineError:
            return False
        return True

    def encoded(self, index: int) -> bytes:
        encode = msgspec.json.encode
        id_ = b'"id":%b,' % encode(self.id_) if self.id_ else b""
        return b'{%b"function":{"index":%d,"name":%b,"arguments":%b}}' % (
            id_,
            index,
            encode(self.name),
            self._object(),
        )

    def _object(self) -> bytes:
        """Return the arguments as JSON on one line. Raises ``EngineError`` if they are no object."""
        text = "".join(self.arguments).strip() or "{}"
        try:
            msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, RecursionError) as error:
            raise _no_object_error(self.name) from error
        return msgspec.json.format(text.encode(), indent=-1)


def _no_object_error(name: str) -> EngineError:
    return EngineError(
        f"The engine sent a call of the tool '{name}' whose arguments are no JSON object.",
        status=502,
        type_="upstream_error",
        shown_code="upstream_error",
    )


def _array(items: Sequence[bytes]) -> bytes:
    return b"[%b]" % b",".join(items) if items else b""
