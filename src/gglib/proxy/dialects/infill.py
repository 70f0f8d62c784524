"""Completions with a ``suffix``: OpenAI's form of filling in the middle, translated to llama.cpp's ``/infill``. Pure.

llama-server ignores ``suffix`` at ``/v1/completions`` (tested with xllamacpp 2026.10.11549). ``/infill`` needs a model
with the tokens for prefix, suffix and middle; for others the engine's error says so.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from gglib.proxy.dialects.base import Exchange
from gglib.proxy.dialects.event_translator import EventTranslator
from gglib.proxy.errors import BadRequestError
from gglib.proxy.json_scan import JsonRefusedError, RootScanner

INFILL_PATH = "/infill"
_SCANNER = RootScanner(("suffix",))
_WITHOUT_SUFFIX = (b"null", b'""')
_LIMIT = "limit"
_DONE = b"data: [DONE]\n\n"
_Object = dict[str, Any]


def has_suffix(body: bytes) -> bool:
    """Whether a completion has a suffix. A body that is not valid JSON has none: it is refused when it is forwarded."""
    if body.find(b'suffix"') < 0:
        return False
    try:
        members = _SCANNER.scan(body)
    except JsonRefusedError:
        return False
    return any(body[start:end] not in _WITHOUT_SUFFIX for _, start, end in members[-1:])


class InfillExchange(Exchange):
    """One completion with a suffix. ``created_at`` is in Unix seconds."""

    def __init__(self, body: bytes, request_id: str, created_at: int) -> None:
        """``body`` is a JSON object that ``read_envelope`` has accepted, and for which ``has_suffix`` is true.

        Raises ``BadRequestError`` unless ``prompt`` and ``suffix`` are texts.
        """
        fields: _Object = msgspec.json.decode(body, type=_Object)
        prompt, suffix = fields.pop("prompt", ""), fields.pop("suffix")
        if not isinstance(suffix, str):
            raise BadRequestError("'suffix' must be a string.", "suffix")
        if not isinstance(prompt, str):
            raise BadRequestError("'prompt' must be a string if there is a 'suffix'.", "prompt")
        options = fields.pop("stream_options", None)
        self._reports_usage = isinstance(options, dict) and options.get("include_usage") is True
        self._count = fields["n"] if isinstance(fields.get("n"), int) else 1
        self._common = {
            "created": created_at,
            "model": fields.get("model") or "",
            "object": "text_completion",
            "id": f"cmpl-{request_id}",
        }
        super().__init__(
            INFILL_PATH, msgspec.json.encode({"input_prefix": prompt, "input_suffix": suffix, **fields})
        )

    def open_stream(self) -> "InfillTranslator":
        """Return a translator for the events of the engine."""
        return InfillTranslator(self._common, self._count, reports_usage=self._reports_usage)

    def translate_body(self, body: bytes) -> bytes:
        """Return the completion for the engine's result, or for its array of results."""
        results = msgspec.json.decode(body, type=_Object | list[_Object])
        if isinstance(results, dict):
            results = [results]
        if not results or not all("content" in result for result in results):
            raise ValueError("not a completion")
        common = self._common | {"model": results[0].get("model") or self._common["model"]}
        choices = [_choice(result) for result in results]
        return msgspec.json.encode({"choices": choices, **common, "usage": _usage(results)})


class InfillTranslator(EventTranslator):
    """Translates one stream, of ``count`` completions."""

    def __init__(self, common: Mapping[str, object], count: int, *, reports_usage: bool) -> None:
        super().__init__()
        self._common = common
        self._count = count
        self._reports_usage = reports_usage
        self._results: list[_Object] = []

    @property
    def is_complete(self) -> bool:
        """Whether each completion has ended."""
        return len(self._results) >= self._count

    def translate(self, name: str, content: dict[str, object]) -> bytes:
        """Return the chunk for a part of a completion."""
        del name
        if "content" not in content:
            return b""
        if content.get("stop") is True:
            self._results.append(content)
        return self._event({"choices": [_choice(content)], **self._common})

    def end(self) -> bytes:
        """Return the usage, if the client asks for it, and the end."""
        usage = {"choices": [], **self._common, "usage": _usage(self._results)}
        return (self._event(usage) if self._reports_usage else b"") + _DONE

    @staticmethod
    def _event(content: object) -> bytes:
        return b"data: %b\n\n" % msgspec.json.encode(content)


def _choice(result: Mapping[str, Any]) -> _Object:
    probabilities = result.get("completion_probabilities")
    reason = None
    if result.get("stop") is True:
        reason = "length" if result.get("stop_type") == _LIMIT else "stop"
    return {
        "text": result.get("content", ""),
        "index": result.get("index", 0),
        "logprobs": {"content": probabilities} if probabilities else None,
        "finish_reason": reason,
    }


def _usage(results: list[_Object]) -> _Object:
    """Return the tokens of all completions, which have one prompt."""
    first = results[0] if results else {}
    timings = first.get("timings")
    prompt, completion = (
        first.get("tokens_evaluated", 0),
        sum(result.get("tokens_predicted", 0) for result in results),
    )
    return {
        "completion_tokens": completion,
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": timings.get("cache_n", 0) if isinstance(timings, dict) else 0
        },
    }
