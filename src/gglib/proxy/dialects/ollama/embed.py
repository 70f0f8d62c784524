"""Translates ``/api/embed`` and ``/api/embeddings`` to ``/v1/embeddings``. Pure."""

import math
from abc import abstractmethod
from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from gglib.proxy.dialects.base import Exchange, StreamTranslator
from gglib.proxy.dialects.ollama.lines import RequestClock, counts
from gglib.proxy.dialects.ollama.options import engine_fields
from gglib.proxy.dialects.ollama.requests import EmbedRequest, Options
from gglib.proxy.errors import BadRequestError

EMBEDDINGS_PATH = "/v1/embeddings"
_encode = msgspec.json.encode


class _Embedding(Struct):
    embedding: Raw
    index: int = 0


class _Response(Struct):
    data: list[_Embedding]
    usage: dict[str, int] = {}


class EmbeddingExchange(Exchange):
    """A request for embeddings, whose response is never a stream."""

    def __init__(
        self, inputs: Sequence[str], model: str | None, options: Options, *, keep_alive_s: float | None
    ) -> None:
        context = {name: value for name, value in engine_fields(options).items() if name == "num_ctx"}
        super().__init__(EMBEDDINGS_PATH, _encode({"model": model, "input": inputs, **context}))
        self.keep_alive_s = keep_alive_s

    def open_stream(self) -> StreamTranslator:
        """Raise ``ValueError``: the engine streams no embeddings."""
        raise ValueError("The engine sent a stream of embeddings.")

    def translate_body(self, body: bytes) -> bytes:
        """Return Ollama's response for the engine's."""
        response = msgspec.json.decode(body, type=_Response)
        vectors = [item.embedding for item in sorted(response.data, key=lambda item: item.index)]
        return self.translate_vectors(vectors, response.usage)

    @abstractmethod
    def translate_vectors(self, vectors: list[Raw], usage: dict[str, int]) -> bytes:
        """Return the response for vectors in the order of the inputs."""


class EmbedExchange(EmbeddingExchange):
    """``/api/embed``: one vector for each input."""

    def __init__(
        self,
        request: EmbedRequest,
        inputs: Sequence[str],
        model: str | None,
        clock: RequestClock,
        *,
        keep_alive_s: float | None,
    ) -> None:
        super().__init__(inputs, model, request.options, keep_alive_s=keep_alive_s)
        if request.dimensions is not None and request.dimensions < 1:
            raise BadRequestError("'dimensions' must be a positive integer.", "dimensions")
        self._dimensions = request.dimensions
        self._model = request.model or ""
        self._clock = clock

    def translate_vectors(self, vectors: list[Raw], usage: dict[str, int]) -> bytes:
        """Return all vectors, shortened to ``dimensions``."""
        shown: list[object] = list(vectors)
        if self._dimensions is not None:
            shown = [shortened(msgspec.json.decode(vector), self._dimensions) for vector in vectors]
        numbers = counts({}, usage, self._clock)
        return embed_response(self._model, shown, {name: numbers[name] for name in _EMBED_COUNTS})


class SingleEmbeddingExchange(EmbeddingExchange):
    """``/api/embeddings``, the older request: one prompt, one vector."""

    def translate_vectors(self, vectors: list[Raw], usage: dict[str, int]) -> bytes:
        """Return the only vector. Raises ``ValueError`` if there are more or none."""
        del usage
        (vector,) = vectors
        return _encode({"embedding": vector})


_EMBED_COUNTS = ("total_duration", "load_duration", "prompt_eval_count")


def embed_response(model: str, vectors: Sequence[object], numbers: dict[str, int]) -> bytes:
    """Return the response of ``/api/embed``."""
    return _encode({"model": model, "embeddings": vectors, **numbers})


def shortened(vector: Sequence[float], dimensions: int) -> list[float]:
    """Return the first ``dimensions`` numbers, scaled to length 1; a shorter vector stays as it is."""
    if dimensions >= len(vector):
        return list(vector)
    kept = vector[:dimensions]
    length = math.sqrt(sum(number * number for number in kept))
    return [number / length for number in kept] if length else list(kept)


class Truncation:
    """Shortens inputs that exceed the context, by the token counts in the engine's errors.

    The engine does not say which input is too long. It has at least as many bytes as tokens, and is probably the one
    with the most bytes: that is shortened in proportion, with a margin. If the next error has the same count, it was,
    or there is, another one.
    """

    MARGIN = 0.95
    MAX_ATTEMPTS = 32

    def __init__(self, inputs: Sequence[str]) -> None:
        self.inputs = list(inputs)
        self._attempts = 0
        self._tokens = 0
        self._tried: set[int] = set()
        """The inputs that were shortened for the current count of tokens."""

    def shorten(self, tokens: int, limit: int) -> bool:
        """Shorten an input of ``tokens`` tokens to fit ``limit``; False if there is no candidate left."""
        self._attempts += 1
        if tokens != self._tokens:
            self._tokens, self._tried = tokens, set()
        if self._attempts > self.MAX_ATTEMPTS or not 0 < limit < tokens:
            return False
        sizes = {number: len(text.encode()) for number, text in enumerate(self.inputs)}
        candidates = [
            number
            for number, size in sizes.items()
            if number not in self._tried and size + _SPECIAL_TOKENS >= tokens
        ]
        if not candidates:
            return False
        longest = max(candidates, key=sizes.__getitem__)
        self._tried.add(longest)
        text = self.inputs[longest]
        self.inputs[longest] = text[: int(len(text) * limit / tokens * self.MARGIN)]
        return True


_SPECIAL_TOKENS = 4
"""Tokens that the engine adds to an input, such as its beginning and its end."""
