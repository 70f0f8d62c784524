"""Prints the time and the memory that inspecting a request body takes.

``json.loads``, which builds the body, is measured for comparison, and optionally another reader, such as an older
version: ``git show REV:src/gglib/proxy/envelope.py > /tmp/old.py``, then ``python -m bench.envelope /tmp/old.py``.
"""

import base64
import json
import random
import runpy
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from gglib.proxy.envelope import read_envelope
from gglib.proxy.errors import BadRequestError

_MIB = 1024 * 1024
_PROSE = 'Some text that has sentences, and a line end now and then.\nThen "a word" in quotes; '
_CODE = 'for item in items:\n    print(f"{item}")\n\n'
_EVEN = "Some text that has sentences and nothing else. "

Read = Callable[[bytes], Any]


def _chat(text: str, messages: int, size: int) -> dict[str, Any]:
    roles = ("user", "assistant")
    said = (text * (size // len(text) + 1))[:size]
    return {
        "model": "smollm2",
        "messages": [{"role": roles[turn % 2], "content": said} for turn in range(messages)],
        "stream": True,
        "temperature": 0.7,
    }


def _tools(count: int) -> dict[str, Any]:
    properties = {
        f"p{at}": {"type": "string", "description": "what it is", "enum": ["a", "b"]} for at in range(6)
    }
    schema = {"type": "object", "properties": properties, "required": ["p1"]}
    function = {"name": "t", "description": "Does a thing.", "parameters": schema}
    return {**_chat(_PROSE, 4, 200), "tools": [{"type": "function", "function": function}] * count}


def _image(size: int) -> dict[str, Any]:
    url = "data:image/png;base64," + base64.b64encode(random.Random(4).randbytes(size * 3 // 4)).decode()
    parts = [{"type": "text", "text": "What is this?\n"}, {"type": "image_url", "image_url": {"url": url}}]
    return {"model": "smollm2", "messages": [{"role": "user", "content": parts}]}


def _bodies() -> dict[str, bytes]:
    bodies = {
        "chat, 200 bytes": _chat(_EVEN, 2, 25),
        "chat, 200 messages, no escapes": _chat(_EVEN, 200, 500),
        "chat, 200 messages, prose": _chat(_PROSE, 200, 500),
        "chat, 200 messages, code": _chat(_CODE, 200, 450),
        "30 tools": _tools(30),
        "token ids": {"model": "smollm2", "prompt": list(range(20_000))},
        "image": _image(20_000_000),
    }
    return {name: json.dumps(body).encode() for name, body in bodies.items()}


def _hostile() -> dict[str, bytes]:
    size = 64 * _MIB
    inner = b"[" * 60 + b"1" + b"]" * 60 + b","
    return {
        "[": b"[" * size,
        '{"a":': b'{"a":' * (size // 5),
        "backslashes": b'{"a":"' + b"\\" * size + b'"}',
        "quotes, escaped": b'{"a":"' + b'\\"' * (size // 2) + b'"}',
        "1e": b'{"a":[' + b"1e" * (size // 2),
        "a number of 10 MB": b'{"a":' + b"1" * 10_000_000 + b"}",
        "a key of 10 MB": b'{"' + b"k" * 10_000_000 + b'":1}',
        "1,000,000 members": b"{" + b",".join(b'"k%d":1' % at for at in range(1_000_000)) + b"}",
        "1,000,000 commas": b'{"a":[' + b"," * 1_000_000,
        "arrays in arrays, 60 deep": b'{"a":[' + inner * (size // len(inner)) + b"1]}",
        "keys as escapes": b"{" + b'"\\u0061":1,' * (size // 11) + b'"b":1}',
        "one field again and again": b"{" + b'"model":"m",' * (size // 12) + b'"b":1}',
        "empty arrays": b'{"a":[' + b"[]," * (size // 3) + b"1]}",
        "small integers": b'{"a":[' + b"1," * (size // 2) + b"1]}",
        "UTF-8 continued": b'{"a":"' + b"\x80" * size + b'"}',
    }


def _median_us(read: Read, body: bytes) -> float:
    runs = max(3, min(2001, 100_000_000 // (len(body) + 50_000)))
    read(body)
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        read(body)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


def _peak_bytes(read: Read, body: bytes) -> int:
    tracemalloc.start()
    read(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def _print_ordinary(readers: dict[str, Read]) -> None:
    print(f"{'body':32}{'bytes':>12}" + "".join(f"{name + ', µs':>16}{'peak KiB':>10}" for name in readers))
    for name, body in _bodies().items():
        row = f"{name:32}{len(body):>12,}"
        for read in readers.values():
            row += f"{_median_us(read, body):>16,.1f}{_peak_bytes(read, body) // 1024:>10,}"
        print(row)


def _print_hostile() -> None:
    print(f"\n{'hostile body':32}{'bytes':>12}{'ms':>10}{'ns a byte':>12}  told")
    for name, body in _hostile().items():
        started = time.perf_counter()
        try:
            read_envelope(body)
            outcome = "taken"
        except BadRequestError as error:
            outcome = str(error)
        taken_s = time.perf_counter() - started
        print(
            f"{name:32}{len(body):>12,}{taken_s * 1e3:>10,.0f}{taken_s * 1e9 / len(body):>12,.1f}  {outcome[:70]}"
        )


def main() -> None:
    """Measure ordinary bodies with each reader, and hostile bodies with gglib's."""
    readers: dict[str, Read] = {"envelope": read_envelope, "json.loads": json.loads}
    if len(sys.argv) > 1:
        readers["the other"] = runpy.run_path(sys.argv[1])["read_envelope"]
    _print_ordinary(readers)
    _print_hostile()


if __name__ == "__main__":
    main()
