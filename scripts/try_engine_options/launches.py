"""Launches an engine with options as gglib does, and reads what it shows."""

import http.client
import json
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.try_engine_options.effects import Observation
from scripts.try_engine_options.trials import Model

from gglib.core.errors import EngineArgumentError
from gglib.core.models import ModelCapabilities, ModelLaunchSpec, ModelSettings
from gglib.runtime.engines import EmbeddedEngine, LlamaServerEngine
from gglib.runtime.engines.llama_cpp.launch_plan import LaunchPlan
from gglib.testing import (
    write_tiny_control_vector,
    write_tiny_encoder,
    write_tiny_gguf,
    write_tiny_lora,
    write_tiny_projector,
)

CONTEXT = 1024
_TRAINED = 2048
_LIMIT_S = 30.0
_POLL_S = 0.02
_PROMPT = "the the the the"
_CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{%- endfor -%}"
    "{%- if reasoning_effort is defined -%}<effort {{ reasoning_effort }}>{%- endif -%}"
    "{%- if add_generation_prompt -%}<|im_start|>assistant\n"
    "{%- if enable_thinking is defined and enable_thinking is false -%}<think>\n\n</think>\n\n{%- endif -%}"
    "{%- endif -%}"
)
"""It shows the values that options set."""
_MESSAGES = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "He"}]
_TEMPLATE = "{% for m in messages %}[{{ m.content }}]{% endfor %}"

Engine = EmbeddedEngine | LlamaServerEngine


@dataclass(frozen=True, slots=True)
class Files:
    """The tiny files of the trials, in one directory."""

    directory: Path

    @classmethod
    def written(cls, directory: Path) -> "Files":
        """Write the files."""
        write_tiny_gguf(
            directory / "model.gguf", context_length=_TRAINED, head_count=2, chat_template=_CHAT_TEMPLATE
        )
        write_tiny_gguf(directory / "draft.gguf", context_length=_TRAINED, head_count=2)
        write_tiny_encoder(directory / "encoder.gguf", context_length=CONTEXT)
        write_tiny_projector(directory / "mmproj.gguf")
        write_tiny_lora(directory / "lora.gguf")
        write_tiny_control_vector(directory / "vector.gguf")
        (directory / "template.jinja").write_text(_TEMPLATE)
        (directory / "yes.gbnf").write_text('root ::= "yes"')
        (directory / "schema.json").write_text('{"type": "boolean"}')
        return cls(directory)

    def arguments(self, words: tuple[str, ...], rpc: str) -> tuple[str, ...]:
        """Return arguments with paths in place of the names in braces."""
        names = {
            "lora": "lora.gguf", "vector": "vector.gguf", "draft": "draft.gguf", "template": "template.jinja",
            "grammar": "yes.gbnf", "schema": "schema.json",
        }  # fmt: skip
        result = list(words)
        for name, file in names.items():
            result = [word.replace(f"{{{name}}}", str(self.directory / file)) for word in result]
        return tuple(word.replace("{rpc}", rpc) for word in result)


def observe(engine: Engine, files: Files, arguments: tuple[str, ...], model: Model) -> Observation:
    """Launch the engine with the arguments and return what it shows."""
    plan = _plan(files, arguments, model)
    try:
        engine.check_engine_args(arguments)
        command = engine.command(plan)
    except EngineArgumentError as error:
        return Observation(error=f"refused when set: {error}", is_refused=True, props={}, timings={})
    log = files.directory / "log"
    assert plan.socket_path is not None
    plan.socket_path.unlink(missing_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *_verbose(engine, plan.plan_file)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        return _read(process, plan.socket_path, log, model)
    finally:
        process.kill()
        process.wait()


def _plan(files: Files, arguments: tuple[str, ...], model: Model) -> LaunchPlan:
    embeds = model is Model.EMBEDDING
    spec = ModelLaunchSpec(
        model_id=1,
        model_name="m",
        path=files.directory / ("encoder.gguf" if embeds else "model.gguf"),
        trained_context=_TRAINED,
        architecture="llama",
        capabilities=ModelCapabilities(chat=not embeds, embedding=embeds),
        projector=files.directory / "mmproj.gguf" if model is Model.VISION else None,
        settings=ModelSettings(engine_args=arguments),
    )
    key = files.directory / "key"
    key.write_text("k")
    return LaunchPlan(
        spec=spec,
        context=CONTEXT,
        slots=2 if "--parallel" in arguments else 1,
        cache_ram_mib=8,
        ping_s=-1,
        key_file=key,
        plan_file=files.directory / "plan.json",
        socket_path=files.directory / "engine.sock",
        threads=None if "--threads" in arguments else 1,
    )


def _verbose(engine: Engine, plan_file: Path) -> list[str]:
    """Return the arguments for a detailed log; the embedded engine reads them from its plan file."""
    if engine.kind != "embedded":
        return ["-lv", "4"]
    plan = json.loads(plan_file.read_text())
    plan["fields"]["verbosity"] = 4
    plan_file.write_text(json.dumps(plan))
    return []


def _read(process: "subprocess.Popen[bytes]", path: Path, log: Path, model: Model) -> Observation:
    deadline = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        if (_get(path, "/health") or {}).get("status") == "ok":
            break
        time.sleep(_POLL_S)
    else:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        why = " / ".join(lines[-2:])[-200:] if process.poll() is not None else "not ready in time"
        return Observation(error=f"exit {process.poll()}: {why}", props={}, timings={})
    props = _get(path, "/props") or {}
    for name in ("model_path", "build_info", "media_marker"):
        props.pop(name, None)
    if model is Model.EMBEDDING:
        answer, timings = _get(path, "/v1/embeddings", {"input": _PROMPT}) or {}, {}
        shown = (
            str([round(number, 3) for number in answer["data"][0]["embedding"][:3]])
            if "data" in answer
            else str(answer)
        )
    else:
        answer = (
            _get(path, "/completion", {"prompt": _PROMPT, "n_predict": 24, "temperature": 0, "seed": 1}) or {}
        )
        shown, timings = str(answer.get("content", answer)), answer.get("timings", {})
    slots = _get(path, "/slots")
    prompts = [
        (_get(path, "/apply-template", {"messages": messages}) or {}).get("prompt")
        for messages in (_MESSAGES, _MESSAGES[:1])
    ]
    adapters = _get(path, "/lora-adapters")
    return Observation(
        props={
            "props": props,
            "slots": [slot.get("n_ctx") for slot in slots] if isinstance(slots, list) else None,
        },
        log=tuple(log.read_text(errors="replace").splitlines()),
        answer=shown,
        timings=timings,
        prompt=" and ".join(map(str, prompts)),
        adapters=str([entry.get("scale") for entry in adapters]) if isinstance(adapters, list) else "",
    )


class _UnixConnection(http.client.HTTPConnection):
    """A connection to a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_LIMIT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_LIMIT_S)
        self.sock.connect(str(self._path))


def _get(path: Path, route: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON
    """Return the JSON of a response; None if the server does not respond."""
    connection = _UnixConnection(path)
    try:
        connection.request(
            "GET" if body is None else "POST",
            route,
            None if body is None else json.dumps(body),
            {"Authorization": "Bearer k", "Content-Type": "application/json"},
        )
        return json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
