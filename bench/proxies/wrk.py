"""The load of non-streamed responses: wrk, with a Lua script that posts what an OpenAI client sends."""

import json
import resource
import subprocess
from pathlib import Path

from bench.proxies.machine import UsageWindow
from bench.proxies.requests import HEADERS, PATH, chat_body
from bench.proxies.sides import Side

_SCRIPT = """\
wrk.method = "POST"
wrk.body = %s
%s
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\\nFIGURES {"done":%%d,"seconds":%%f,"p50_ms":%%f,"p99_ms":%%f,"errors":%%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


def write_script(path: Path) -> Path:
    """Write the script for wrk; a plain ASCII JSON string is a valid Lua string."""
    headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in HEADERS.items())
    path.write_text(_SCRIPT % (json.dumps(chat_body().decode()), headers))
    return path


def run(side: Side, script: Path, *, connections: int, seconds: float) -> dict[str, float]:
    """Post for ``seconds`` from one thread, and return the figures."""
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{max(round(seconds), 1)}s",
        "--timeout",
        "10s",
        "-s",
        str(script),
    ]
    window = UsageWindow(side.pids, (side.upstream_pid,))
    before_s = _children_s()
    output = subprocess.run(
        [*command, f"{side.url}{PATH}"], capture_output=True, text=True, check=True
    ).stdout
    usage = window.close(_children_s() - before_s)
    found: dict[str, float] = json.loads(output.rpartition("FIGURES ")[2])
    return {
        "done": found["done"],
        "per_s": found["done"] / found["seconds"],
        "p50_ms": found["p50_ms"],
        "p99_ms": found["p99_ms"],
        "errors": found["errors"],
        "cpu_ms_per_1000": usage.proxy_cpu_s * 1e6 / max(found["done"], 1),
    } | usage.as_figures()


def _children_s() -> float:
    """Return the processor time of children that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
