"""Compare responses through gglib with those of the bare engine, for generated requests to every forwarded route.

Both go to the same engine process: through ``gglib serve``, and to the engine's own socket. Statuses, content types,
bodies and events must be equal; left out are ``id``, ``created``, ``timings`` and ``system_fingerprint``. A refusal of
the engine must be one of gglib's: its status may differ (500 becomes 400), and its words may be explained; an error in
a stream has gglib's form. Requests to which the engine itself gives two different responses are counted and not
compared.

    python -m scripts.differential --count 500 --seed 1
"""

import argparse
import base64
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from scripts.differential_requests import CHAT_MODEL, EMBEDDING_MODEL, RERANK_MODEL, Case, cases

from gglib.http.sse import read_events
from gglib.testing.tiny_gguf import write_tiny_encoder, write_tiny_gguf, write_tiny_projector

LEFT_OUT = frozenset(("id", "created", "timings", "system_fingerprint"))
LIMIT_S = 60.0
_RELATIVE_TOLERANCE = 1e-4
_NO_KEEP_ALIVE = httpx2.Limits(max_keepalive_connections=0)
"""The engine closes a connection after 5 s or 100 requests, also at the moment of the next one."""
TOOLS_TEMPLATE = (
    "{%- if tools -%}<|im_start|>system\n{{ tools | tojson }}<|im_end|>\n{%- endif -%}"
    "{%- for message in messages -%}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "{%- for call in message.tool_calls or [] -%}"
    '<tool_call>\n{"name": "{{ call.function.name }}", '
    '"arguments": {{ call.function.arguments | tojson }}}\n</tool_call>'
    "{%- endfor -%}<|im_end|>\n{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|im_start|>assistant\n{%- endif -%}"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, without what is left out of the comparison."""

    status: int
    content_type: str
    content: Any
    """The JSON, or the events with their names: in order, or by choice if there are several."""

    @property
    def is_refusal(self) -> bool:
        """Whether the request was refused."""
        return self.status >= 400


@dataclass
class Outcome:
    """The result of a comparison."""

    compared: Counter[str] = field(default_factory=Counter)
    """Number of equal responses, by route."""
    refused: int = 0
    """Of these, refusals."""
    streams: int = 0
    undetermined: int = 0
    """Number of requests to which the engine gave different responses."""
    differences: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Setup:
    """A running gglib, and its engines."""

    proxy: httpx2.Client
    engines: dict[str, httpx2.Client]


def write_models(folder: Path) -> dict[str, Path]:
    """Write the models of the comparison, and return their files by name."""
    files = {name: folder / f"{name}.gguf" for name in (CHAT_MODEL, EMBEDDING_MODEL, RERANK_MODEL)}
    write_tiny_gguf(files[CHAT_MODEL], name=CHAT_MODEL, chat_template=TOOLS_TEMPLATE)
    write_tiny_encoder(files[EMBEDDING_MODEL], name=EMBEDDING_MODEL)
    write_tiny_encoder(files[RERANK_MODEL], name=RERANK_MODEL, pooling_type=4, has_classifier=True)
    return files


def engines_of(home: Path) -> dict[str, httpx2.Client]:
    """Return a client for the socket of each engine in a home, by model."""
    found = {}
    for socket in (home / "run" / "engines").glob("*/engine.sock"):
        key = (socket.parent / "key").read_text().strip()
        client = httpx2.Client(
            transport=httpx2.HTTPTransport(uds=str(socket), limits=_NO_KEEP_ALIVE),
            base_url="http://localhost",
            headers={"Authorization": f"Bearer {key}"},
            timeout=LIMIT_S,
        )
        found[client.get("/v1/models").json()["data"][0]["id"]] = client
    return found


def compare(setup: Setup, seed: int, count: int) -> Outcome:
    """Send ``count`` generated requests both ways."""
    outcome = Outcome()
    for case in cases(seed, count):
        _compare(setup, case, outcome)
    return outcome


def _compare(setup: Setup, case: Case, outcome: Outcome) -> None:
    engine = setup.engines[case.body["model"]]
    bare = _ask(engine, case)
    through = _ask(setup.proxy, case)
    if not are_equal(bare, through):
        again = _ask(engine, case)  # now with the prompt in the engine's cache, as it was for ``through``
        if not are_equal(again, through):
            if not are_equal(bare, again):
                outcome.undetermined += 1
                return
            outcome.differences.append(
                f"POST {case.path} {json.dumps(case.body)}\n  bare: {bare}\n  through gglib: {through}"
            )
            return
    outcome.compared[case.path] += 1
    outcome.refused += bare.is_refusal
    outcome.streams += case.is_stream and not bare.is_refusal


def are_equal(bare: Answer, through: Answer) -> bool:
    """Whether two responses agree."""
    if bare.is_refusal or through.is_refusal:
        return bare.is_refusal and 400 <= through.status < 500 and _is_error(through.content)
    return (
        bare.status == through.status
        and bare.content_type == through.content_type
        and _are_close(bare.content, through.content)
    )


def _is_error(content: Any) -> bool:  # noqa: ANN401 - JSON
    return isinstance(content, dict) and bool(content.get("error"))


def _are_close(first: Any, second: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether two values are equal; numbers up to the rounding of another batch."""
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=_RELATIVE_TOLERANCE, abs_tol=1e-5)
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_are_close(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_are_close, first, second))
    return type(first) is type(second) and bool(first == second)


def _ask(client: httpx2.Client, case: Case) -> Answer:
    response = client.post(case.path, json=case.body)
    content_type = response.headers.get("content-type", "").replace("; charset=utf-8", "")
    if content_type != "text/event-stream":
        return Answer(response.status_code, content_type, _without(response.json()))
    events = [(event.name, _event_content(event.data)) for event in read_events((response.content,))]
    return Answer(response.status_code, content_type, _by_choice([list(event) for event in events]))


def _event_content(data: bytes) -> object:
    return "[DONE]" if data == b"[DONE]" else _without(json.loads(data))


def _by_choice(events: list[list[Any]]) -> list[list[Any]]:
    """Return the events by their choice, in order: the engine computes several choices at once."""
    return sorted(events, key=_choice_of)


def _choice_of(event: list[Any]) -> int:
    content = event[1]
    if not isinstance(content, dict):
        return sys.maxsize
    choices = content.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else content
    index = choice.get("index", 0)
    is_chat = isinstance(choices, list)
    # Anthropic's events number blocks, which follow one another.
    return index if is_chat or "tokens" in content else 0


def _without(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return JSON without what is left out; of errors in a stream only the message, and vectors as numbers."""
    if isinstance(value, dict):
        if isinstance(value.get("error"), dict):
            return {"error": value["error"].get("message")}
        if value.get("encoding_format") == "base64":
            value = value | {"embedding": array("f", base64.b64decode(value["embedding"])).tolist()}
        return {key: _without(item) for key, item in value.items() if key not in LEFT_OUT}
    return [_without(item) for item in value] if isinstance(value, list) else value


@contextmanager
def running_gglib(home: Path, *, engine: str = "embedded") -> Iterator[Setup]:
    """Serve the models of the comparison for a block, all in memory.

    ``engine`` is ``embedded``, or the path of a llama-server.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GGLIB_")}
    environment |= {"GGLIB_HOME": str(home), "GGLIB_ENGINE": engine}
    gglib = [sys.executable, "-m", "gglib"]
    (home / "files").mkdir(parents=True)
    projector = str(write_tiny_projector(home / "files" / "mmproj-chat.gguf"))
    for name, file in write_models(home / "files").items():
        added = [*gglib, "add", str(file), "--name", name, "--engine-args", "--threads 1"]
        images = ["--mmproj", projector if name == CHAT_MODEL else "none"]
        subprocess.run([*added, *images], env=environment, check=True, stdout=subprocess.DEVNULL)
    serve = [*gglib, "serve", "--port", "0", "--max-models", "3", "--ctx", "4096"]
    with (home / "serve.out").open("wb") as output:
        process = subprocess.Popen(serve, env=environment, stdout=output, stderr=output)
    try:
        with httpx2.Client(base_url=_address(home, process), timeout=LIMIT_S) as proxy:
            for name in (CHAT_MODEL, EMBEDDING_MODEL, RERANK_MODEL):
                proxy.post(f"/gglib/models/{name}/load").raise_for_status()
            yield Setup(proxy, engines_of(home))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(LIMIT_S)


def _address(home: Path, process: "subprocess.Popen[bytes]") -> str:
    from gglib.app.serving.instance import running_instance  # noqa: PLC0415 - only the program needs it

    deadline_s = time.monotonic() + LIMIT_S
    for _ in itertools.count():
        instance = running_instance(home / "run")
        if instance is not None and instance.url and instance.pid == process.pid:
            return instance.url
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise SystemExit((home / "serve.out").read_text())
        time.sleep(0.05)
    raise AssertionError("unreachable")


def main() -> int:
    """Run the comparison, print its figures, and return 1 if there is a difference."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--engine", default="embedded", help="embedded (default), or the path of a llama-server"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_gglib(Path(folder), engine=options.engine) as setup:
        outcome = compare(setup, options.seed, options.count)
    for path, number in sorted(outcome.compared.items()):
        print(f"{number:5} equal  {path}")
    print(
        f"{sum(outcome.compared.values())} equal (streams: {outcome.streams}, refusals: {outcome.refused}), "
        f"{len(outcome.differences)} different, {outcome.undetermined} undetermined"
    )
    for difference in outcome.differences:
        print(difference)
    return 1 if outcome.differences else 0


if __name__ == "__main__":
    sys.exit(main())
