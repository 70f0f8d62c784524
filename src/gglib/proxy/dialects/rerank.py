"""Translates the forms of a rerank request that llama-server does not know. Pure.

llama-server takes ``documents`` and ``top_n`` (Jina's and Cohere's names) and ``texts`` with ``return_text`` (TEI's),
and responds in the matching form; such bodies are forwarded as they are. It refuses ``documents`` that are objects
with a ``text`` and a ``query`` of that form, ignores ``return_documents``, and fails with 500 for a negative ``top_n``
(observed with b11549; ``post_rerank`` in ``server-context.cpp``). Sources of the forms: the API references of Jina
(``/v1/rerank``), Cohere (``/v1/rerank``, ``/v2/rerank``) and text-embeddings-inference (``/rerank``).
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from gglib.proxy.dialects.base import Exchange
from gglib.proxy.errors import BadRequestError, to_json

ENGINE_PATH = "/v1/rerank"

_FOREIGN = re.compile(
    rb'"documents"\s*:\s*\[\s*\{|"query"\s*:\s*\{|"return_documents"\s*:\s*true\b|"top_n"\s*:\s*-'
)
"""Matches each form above. In a string the quote after the name would have a backslash before it."""


class RerankExchange(Exchange):
    """A rerank request with plain texts; the response gets the documents back if the client asked for them."""

    def __init__(self, body: bytes, documents: Sequence[str] | None) -> None:
        """``documents`` are added to the results by their index; None adds none."""
        super().__init__(ENGINE_PATH, body)
        self._documents = documents

    def open_stream(self) -> NoReturn:
        """Raise ``ValueError``: rankings are not streamed."""
        raise ValueError("A ranking is not a stream.")

    def translate_body(self, body: bytes) -> bytes:
        """Return the engine's response, with ``document`` in each result if wanted."""
        if self._documents is None:
            return body
        content = json.loads(body)
        try:
            for result in content["results"]:
                result["document"] = {"text": self._documents[result["index"]]}
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError("The ranking has an unknown form.") from error
        return to_json(content)


def is_foreign(body: bytes) -> bool:
    """Whether a body has a form that the engine does not know."""
    return _FOREIGN.search(body) is not None


def translate_rerank(body: bytes) -> RerankExchange:
    """Return the translation of a body. Raises ``BadRequestError``, which names the invalid field."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequestError("The request body is not valid JSON.") from error
    if not isinstance(content, dict):
        raise BadRequestError("The request body must be a JSON object.")
    if isinstance(content.get("query"), dict):
        content["query"] = _text(content["query"], "query")
    documents = content.get("documents")
    if isinstance(documents, list):
        documents = content["documents"] = [
            _text(document, f"documents[{index}]") for index, document in enumerate(documents)
        ]
    _check_top_n(content.get("top_n"))
    wants_documents = content.pop("return_documents", None) is True and isinstance(documents, list)
    content.pop("stream", None)  # the engine ignores it
    return RerankExchange(to_json(content), documents if wants_documents else None)


def _text(value: Any, name: str) -> str:  # noqa: ANN401 - any JSON
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise BadRequestError(f"'{name}' must be a string, or an object with the string 'text'.", name)
    return text


def _check_top_n(value: object) -> None:
    if isinstance(value, int) and value < 0:
        raise BadRequestError("'top_n' must be an integer from 0 on.", "top_n")
