"""Generates requests for ``scripts.differential``: all sampling parameters, tools, log probabilities, grammars, images.

The same seed gives the same requests. Each has a seed of its own for the engine and no prompt cache, so that the engine
answers it in the same way twice. What gglib refuses or changes by its documented rules is not generated.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

CHAT_MODEL, EMBEDDING_MODEL, RERANK_MODEL = "chat", "embedding", "rerank"
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_WORDS = ("sea", "stone", "light", "Wörter", "日本", "🙂", "a b", "x\n", '"q"', "\\", "</s>", "<|im_end|>")
_SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer", "maximum": 9}, "b": {"enum": ["x", "y"]}},
    "required": ["a"],
}
_GRAMMAR = 'root ::= [a-e]+ " " ("yes" | "no")'


@dataclass(frozen=True, slots=True)
class Case:
    """One request."""

    path: str
    body: dict[str, Any]

    @property
    def is_stream(self) -> bool:
        """Whether the response is a stream."""
        return self.body.get("stream") is True


def cases(seed: int, count: int) -> list[Case]:
    """Return ``count`` requests; each route occurs, those for text most often."""
    rng = random.Random(seed)
    paths = [*_ROUTES] + [path for path, route in _ROUTES.items() for _ in range(route.weight)]
    chosen = [*_ROUTES, *(rng.choice(paths) for _ in range(count))][:count]
    return [Case(path, _ROUTES[path].make(rng)) for path in chosen]


def paths() -> list[str]:
    """Return the routes that are compared."""
    return [*_ROUTES]


def _text(rng: random.Random, most: int = 6) -> str:
    return " ".join(rng.choice(_WORDS) for _ in range(rng.randint(1, most)))


def _maybe(rng: random.Random, fields: Mapping[str, Callable[[], object]], share: float) -> dict[str, object]:
    """Return some of the fields, each with its value."""
    return {name: value() for name, value in fields.items() if rng.random() < share}


def _sampling(rng: random.Random) -> dict[str, object]:
    """Return some of llama.cpp's sampling parameters."""
    return _maybe(
        rng,
        {
            "temperature": lambda: rng.choice([0, 0.3, 1.0, 1.7]),
            "top_k": lambda: rng.choice([0, 1, 5, 100]),
            "top_p": lambda: rng.choice([0.1, 0.9, 1.0]),
            "min_p": lambda: rng.choice([0.0, 0.05, 0.5]),
            "typical_p": lambda: rng.choice([0.5, 1.0]),
            "top_n_sigma": lambda: rng.choice([-1.0, 1.0]),
            "xtc_probability": lambda: rng.choice([0.0, 0.5]),
            "xtc_threshold": lambda: rng.choice([0.1, 0.5]),
            "dynatemp_range": lambda: rng.choice([0.0, 0.5]),
            "dynatemp_exponent": lambda: rng.choice([1.0, 2.0]),
            "repeat_penalty": lambda: rng.choice([1.0, 1.3]),
            "repeat_last_n": lambda: rng.choice([0, 16, -1]),
            "presence_penalty": lambda: rng.choice([0.0, 0.7, -0.5]),
            "frequency_penalty": lambda: rng.choice([0.0, 0.7]),
            "dry_multiplier": lambda: rng.choice([0.0, 0.8]),
            "dry_base": lambda: 1.75,
            "dry_allowed_length": lambda: rng.choice([1, 2]),
            "dry_penalty_last_n": lambda: rng.choice([-1, 32]),
            "dry_sequence_breakers": lambda: ["\n", ":"],
            "mirostat": lambda: rng.choice([0, 1, 2]),
            "mirostat_tau": lambda: 4.0,
            "mirostat_eta": lambda: 0.2,
            "min_keep": lambda: rng.choice([0, 2]),
            "n_keep": lambda: rng.choice([0, 4]),
            "ignore_eos": lambda: rng.random() < 0.5,
            "samplers": lambda: rng.choice([["top_k", "temperature"], ["min_p", "top_p", "temperature"]]),
            "logit_bias": lambda: rng.choice([[["e", 5.0]], {"300": -100}, [["q", False]]]),
            "stop": lambda: rng.choice(["e", ["zz", "o"], []]),
        },
        0.2,
    )


def _common(rng: random.Random, model: str, limit: str = "max_tokens") -> dict[str, Any]:
    return {
        "model": model,
        "seed": rng.randrange(1, 10_000),
        "cache_prompt": False,
        limit: rng.randint(1, 12),
        "stream": rng.random() < 0.5,
        **_sampling(rng),
    }


def _constraint(rng: random.Random) -> dict[str, object]:
    schema = {"name": "s", "schema": _SCHEMA, "strict": True}
    return rng.choice(
        [
            {},
            {},
            {"grammar": _GRAMMAR},
            {"json_schema": _SCHEMA},
            {"response_format": {"type": "json_object"}},
            {"response_format": {"type": "json_schema", "json_schema": schema}},
            {"response_format": {"type": "text"}},
        ]
    )


def _tools(rng: random.Random) -> dict[str, object]:
    functions = [{"name": name, "description": _text(rng), "parameters": _SCHEMA} for name in ("get", "put")]
    tools = [{"type": "function", "function": function} for function in functions]
    return {
        "tools": tools[: rng.randint(1, 2)],
        **_maybe(
            rng,
            {
                "tool_choice": lambda: rng.choice(["auto", "none", "required"]),
                "parallel_tool_calls": lambda: rng.random() < 0.5,
            },
            0.5,
        ),
    }


def _messages(rng: random.Random) -> list[dict[str, object]]:
    system: list[dict[str, object]] = [{"role": rng.choice(["system", "developer"]), "content": _text(rng)}]
    content: object = _text(rng)
    if rng.random() < 0.2:
        content = [{"type": "text", "text": _text(rng)}, {"type": "text", "text": _text(rng)}]
    elif rng.random() < 0.05:
        content = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PIXEL}"}}]
    turns: list[dict[str, object]] = []
    if rng.random() < 0.4:
        call = {"id": "c1", "type": "function", "function": {"name": "get", "arguments": '{"a": 1}'}}
        turns = [
            {"role": "user", "content": _text(rng)},
            {
                "role": "assistant",
                "content": _text(rng),
                **({"tool_calls": [call]} if rng.random() < 0.5 else {}),
            },
        ]
        if "tool_calls" in turns[1]:
            turns.append({"role": "tool", "tool_call_id": "c1", "content": _text(rng)})
    return [*system, *turns, {"role": "user", "content": content}]


def _chat(rng: random.Random) -> dict[str, Any]:
    body = {**_common(rng, CHAT_MODEL), "messages": _messages(rng)}
    body |= _tools(rng) if rng.random() < 0.3 else _constraint(rng)
    body |= _maybe(rng, {"n": lambda: rng.randint(1, 3)}, 0.2)
    if rng.random() < 0.25:
        body |= {"logprobs": True, "top_logprobs": rng.choice([1, 5])}
    if body["stream"] and rng.random() < 0.5:
        body["stream_options"] = {"include_usage": rng.random() < 0.8}
    return body


def _completion(rng: random.Random) -> dict[str, Any]:
    prompt: object = rng.choice([_text(rng), [_text(rng), _text(rng)], [300, 301, 302], [_text(rng)]])
    return {
        **_common(rng, CHAT_MODEL),
        "prompt": prompt,
        **_constraint(rng),
        **_maybe(rng, {"logprobs": lambda: rng.choice([1, 3]), "n": lambda: rng.randint(1, 2)}, 0.2),
    }


def _native_completion(rng: random.Random) -> dict[str, Any]:
    extra = {"n_probs": lambda: 2, "return_tokens": lambda: True, "timings_per_token": lambda: True}
    return {**_common(rng, CHAT_MODEL, "n_predict"), "prompt": _text(rng), **_maybe(rng, extra, 0.2)}


def _message(rng: random.Random) -> dict[str, Any]:
    content: object = _text(rng) if rng.random() < 0.5 else [{"type": "text", "text": _text(rng)}]
    body = _common(rng, CHAT_MODEL) | {"messages": [{"role": "user", "content": content}]}
    body |= {"temperature": 0}  # the engine does not forward "seed" of this dialect to its sampler
    body["stop_sequences"] = body.pop("stop", None) or []
    if isinstance(body["stop_sequences"], str):
        body["stop_sequences"] = [body["stop_sequences"]]
    if rng.random() < 0.3:
        body["tools"] = [{"name": "get", "description": _text(rng), "input_schema": _SCHEMA}]
    return body | _maybe(rng, {"system": lambda: _text(rng)}, 0.4)


def _count(rng: random.Random) -> dict[str, Any]:
    return {"model": CHAT_MODEL, "messages": _messages(rng)}


def _embedding(rng: random.Random) -> dict[str, Any]:
    value = rng.choice(
        [_text(rng), [_text(rng) for _ in range(rng.randint(1, 5))], [5, 6, 7], [[5, 6], [7]], ""]
    )
    formats = _maybe(rng, {"encoding_format": lambda: rng.choice(["float", "base64"])}, 0.5)
    return {"model": EMBEDDING_MODEL, "input": value, **formats}


def _native_embedding(rng: random.Random) -> dict[str, Any]:
    return {"model": EMBEDDING_MODEL, "content": rng.choice([_text(rng), [_text(rng), _text(rng)]])}


def _rerank(rng: random.Random) -> dict[str, Any]:
    documents = [_text(rng) for _ in range(rng.randint(1, 4))]
    options = _maybe(rng, {"top_n": lambda: rng.randint(1, 4)}, 0.4)
    return {"model": RERANK_MODEL, "query": _text(rng), "documents": documents, **options}


@dataclass(frozen=True, slots=True)
class _Route:
    make: Callable[[random.Random], dict[str, Any]]
    weight: int = 0


_ROUTES = {
    "/v1/chat/completions": _Route(_chat, 12),
    "/v1/completions": _Route(_completion, 5),
    "/v1/messages": _Route(_message, 5),
    "/v1/messages/count_tokens": _Route(_count),
    "/completions": _Route(_native_completion, 3),
    "/v1/embeddings": _Route(_embedding, 1),
    "/embeddings": _Route(_native_embedding, 1),
    "/v1/rerank": _Route(_rerank, 1),
    "/rerank": _Route(_rerank),
}
