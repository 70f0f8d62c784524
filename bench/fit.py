"""Compares memory estimates with the memory of the real engine: ``python -m bench.fit`` (Linux, the embedded engine).

Each model is launched as gglib launches it, at each context, and processes a prompt, so that the buffers are touched.
Measured are the buffer sizes, which the engine prints (at a higher verbosity; otherwise it is the usual launch), and
the kernel's figures for the process. Of these,

- *resident* is its proportional set size: all anonymous memory and every page of the files that it has mapped;
- *in use* is its anonymous memory and those file pages that processing the prompt touched. The engine repacks weights
  of some types into a layout for the processor; their pages of the file stay resident until the system needs the
  memory, and are never read again: they are in *resident* and not *in use*.

The deviation compares an estimate's total, including the pages left behind, with *resident*. The total alone is
compared with *in use*, which is slightly below the real demand: the prompt touches neither the whole vocabulary nor all
experts.
"""

import argparse
import asyncio
import http.client
import json
import platform
import re
import socket
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.fit_models import SHAPES, SPECIALS, write_model, write_special

from gglib.core.memory import MemoryNeed
from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.runtime.slots import DEFAULT_SLOTS
from gglib.gguf import read_model
from gglib.library.fit.estimate import estimate
from gglib.library.starter import SMOLLM2, fetch_starter
from gglib.runtime.engines import EmbeddedEngine
from gglib.runtime.engines.llama_cpp.launch_plan import LaunchPlan
from gglib.runtime.local.launch import launch_engine
from gglib.runtime.local.launch_config import LaunchConfig
from gglib.testing.tiny_gguf import write_tiny_gguf

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench/results"
CONTEXTS = (2048, 8192, 32_768)
WANTED = 0.15
MIB = 1024 * 1024
_PROMPT_TOKENS = 1500
"""Three batches: enough to touch all parts of a buffer. A small model fills its whole context."""
_SMALL_PARAMETERS = 10_000_000
_LIMIT_S = 300
_VERBOSITY = 4
_KINDS = {
    "model": re.compile(r"(?P<name>\S+) +model buffer size = +(?P<mib>[\d.]+) MiB"),
    "cache": re.compile(r"(?P<name>\S+) +(?:KV|RS) buffer size = +(?P<mib>[\d.]+) MiB"),
    "compute": re.compile(r"(?P<name>\S+) +(?:compute|output) buffer size = +(?P<mib>[\d.]+) MiB"),
}


class TalkativeEngine(EmbeddedEngine):
    """The embedded engine with a verbosity that prints its buffer sizes."""

    def command(self, plan: LaunchPlan) -> list[str]:
        """Add the verbosity to the plan that gglib would use."""
        argv = super().command(plan)
        payload = json.loads(plan.plan_file.read_text())
        payload["fields"]["verbosity"] = _VERBOSITY
        plan.plan_file.write_text(json.dumps(payload))
        return argv


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The memory of one engine, in bytes."""

    cache_bytes: int
    compute_bytes: int
    repacked_bytes: int
    anonymous_bytes: int
    file_bytes: int
    used_file_bytes: int

    @property
    def resident_bytes(self) -> int:
        """All resident memory of the engine."""
        return self.anonymous_bytes + self.file_bytes

    @property
    def used_bytes(self) -> int:
        """The memory that the engine cannot do without."""
        return self.anonymous_bytes + self.used_file_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model at one context."""

    model: str
    context: int
    file_bytes: int
    need: MemoryNeed
    measured: Measured

    @property
    def use_deviation(self) -> float:
        """Deviation of the total alone from *in use*."""
        return self.need.total_bytes / self.measured.used_bytes - 1

    @property
    def deviation(self) -> float:
        """Deviation of the total with the pages left behind from *resident*."""
        return (self.need.total_bytes + self.need.left_behind_bytes) / self.measured.resident_bytes - 1


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, help="a folder with *.gguf files to measure besides")
    parser.add_argument("--only", help="measure the models whose name has this in it")
    parser.add_argument("--contexts", type=int, nargs="+", default=list(CONTEXTS))
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="fit") as directory:
        for name, path in models(Path(directory), options.models):
            if options.only and options.only not in name:
                continue
            for context in options.contexts:
                rows.append(asyncio.run(measure(name, path, context, Path(directory))))
                print(line_of(rows[-1]), flush=True)
    if not options.only and options.contexts == list(CONTEXTS):
        write_results(rows)


def models(directory: Path, more: Path | None) -> list[tuple[str, Path]]:
    """Return the models: a real one, a tiny one, those of ``SHAPES`` and those in a folder."""
    found = [
        ("SmolLM2-135M Q4_1", asyncio.run(fetch_starter(SMOLLM2, directory))),
        ("tiny F32", directory / "tiny.gguf"),
    ]
    write_tiny_gguf(found[1][1], context_length=max(CONTEXTS))
    found += [(name, write_model(directory / f"{name}.gguf", shape)) for name, shape in SHAPES.items()]
    found += [(name, write_special(directory / f"{name}.gguf", model)) for name, model in SPECIALS.items()]
    return found + [(path.stem, path) for path in sorted(more.glob("*.gguf") if more else ())]


async def measure(name: str, path: Path, context: int, directory: Path) -> Row:
    """Launch the model and measure it after a prompt."""
    model = read_model(path)
    need = estimate(model.facts, weights_bytes=model.size_bytes, context=context, slots=DEFAULT_SLOTS)
    spec = ModelLaunchSpec(model_id=1, model_name="model", path=path, size_bytes=model.size_bytes)
    engines_dir, log_dir = directory / "engines", directory / f"logs-{name}-{context}"
    engines_dir.mkdir(exist_ok=True)
    config = LaunchConfig(
        engine=TalkativeEngine(reason="bench"), engines_dir=engines_dir, log_dir=log_dir, slots=DEFAULT_SLOTS
    )
    async with launch_engine(spec, context=context, name="fit", config=config) as engine:
        target = await engine.wait_until_ready()
        pid = engine.process.pid
        await asyncio.to_thread(forget_what_was_touched, pid)
        is_small = (model.facts.parameter_count or 0) < _SMALL_PARAMETERS
        tokens = context - 8 if is_small else min(_PROMPT_TOKENS, context - 8)
        await asyncio.to_thread(compute_prompt, target, tokens, model.facts.vocabulary_size or 1000)
        return Row(
            model=name,
            context=context,
            file_bytes=model.size_bytes,
            need=need,
            measured=await asyncio.to_thread(read_measured, pid, log_dir),
        )


def compute_prompt(target: RunningTarget, tokens: int, vocabulary: int) -> None:
    """Let the engine process a prompt of ``tokens`` tokens, spread over its vocabulary."""
    assert target.unix_socket
    first = 259 if vocabulary > 600 else 3
    prompt = [first + number * 7919 % (vocabulary - first) for number in range(tokens)]
    connection = http.client.HTTPConnection("localhost", timeout=_LIMIT_S)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(_LIMIT_S)
    connection.sock.connect(target.unix_socket)
    body = json.dumps({"prompt": prompt, "n_predict": 4})
    headers = {"Authorization": f"Bearer {target.bearer_key}", "Content-Type": "application/json"}
    connection.request("POST", "/completion", body, headers)
    answer = connection.getresponse()
    payload = json.loads(answer.read())
    connection.close()
    assert answer.status == 200, payload
    assert payload["tokens_evaluated"] == tokens, payload["tokens_evaluated"]


def forget_what_was_touched(pid: int) -> None:
    """Reset the kernel's record of the pages that a process has touched."""
    Path(f"/proc/{pid}/clear_refs").write_text("1")


def read_measured(pid: int, log_dir: Path) -> Measured:
    """Combine the engine's log and the kernel's figures for the process."""
    return measured_of(next(log_dir.rglob("*.log")).read_text(), Path(f"/proc/{pid}/smaps").read_text())


def measured_of(log: str, smaps: str) -> Measured:
    """Add up the engine's log and the kernel's figures."""
    sizes = {
        kind: [(m["name"], float(m["mib"]) * MIB) for m in regex.finditer(log)]
        for kind, regex in _KINDS.items()
    }
    anonymous = file = used_file = 0
    for values in mappings(smaps):
        anonymous += values["Anonymous"]
        if values["Anonymous"] < values["Pss"]:
            file += values["Pss"] - values["Anonymous"]
            used_file += min(values["Pss"] - values["Anonymous"], values["Referenced"])
    return Measured(
        cache_bytes=round(sum(size for _, size in sizes["cache"])),
        compute_bytes=round(sum(size for _, size in sizes["compute"])),
        repacked_bytes=round(sum(size for name, size in sizes["model"] if "REPACK" in name)),
        anonymous_bytes=anonymous,
        file_bytes=file,
        used_file_bytes=used_file,
    )


def mappings(smaps: str) -> list[dict[str, int]]:
    """Return the values in bytes of each mapping."""
    found: list[dict[str, int]] = []
    for text in smaps.splitlines():
        name, _, value = text.partition(":")
        if value.endswith(" kB") and name.replace("_", "").isalnum():
            found[-1][name] = int(value.split()[0]) * 1024
        elif "-" in text.split(" ", 1)[0]:
            found.append({})
    return [values for values in found if values]


def line_of(row: Row) -> str:
    """Return a row for the terminal."""
    need, got = row.need, row.measured
    parts = [
        (need.kv_bytes, got.cache_bytes),
        (need.compute_bytes, got.compute_bytes),
        (need.left_behind_bytes + need.weights_bytes - row.file_bytes, got.repacked_bytes),
        (need.total_bytes, got.used_bytes),
        (need.total_bytes + need.left_behind_bytes, got.resident_bytes),
    ]
    cells = " | ".join(f"{ours / MIB:.1f} / {theirs / MIB:.1f}" for ours, theirs in parts)
    return (
        f"| {row.model} | {row.context} | {row.file_bytes / MIB:.1f} | {need.overhead_bytes / MIB:.1f} | {cells} "
        f"| {row.deviation:+.1%} |"
    )


def write_results(rows: list[Row]) -> None:
    """Write the table as Markdown and the numbers as JSON."""
    worst = max(rows, key=lambda row: abs(row.deviation))
    conditions = (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.system()} {platform.machine()}, "
        f"xllamacpp {version('xllamacpp')}, {DEFAULT_SLOTS} slots with a cache each, a prompt of "
        f"{_PROMPT_TOKENS} tokens "
        "(the tiny model: its whole context). Sizes in MiB, *estimate / measured*."
    )
    verdict = (
        f"Largest deviation from what is resident: {worst.deviation:+.1%} "
        f"({worst.model}, {worst.context}); wanted: within {WANTED:.0%}."
    )
    widest = max(rows, key=lambda row: abs(row.use_deviation))
    beyond = sum(abs(row.use_deviation) > WANTED for row in rows)
    of_use = (
        f"Largest deviation of the total from what is in use: {widest.use_deviation:+.1%} "
        f"({widest.model}, {widest.context}); {beyond} of {len(rows)} rows are beyond {WANTED:.0%}."
    )
    fitted = (
        "The sizes of the cache follow from the engine's sources. What the process, a token, a merge and a place "
        "take, and how many vectors a batch needs, was fitted to runs of this bench: for the overhead these rows are "
        "no independent proof. lfm2 and deepseek2 came after the rule for vectors, which was not changed for them."
    )
    names = (
        *("model", "context", "weights", "overhead", "cache", "compute", "stored anew", "in use"),
        *("resident", "deviation"),
    )
    head = [
        "# Estimates of memory, beside the engine",
        "",
        *(__doc__ or "").splitlines()[2:],
        "",
        conditions,
        "",
        verdict,
        "",
        of_use,
        "",
        fitted,
        "",
        f"| {' | '.join(names)} |",
        f"|{'---|' * len(names)}",
    ]
    (RESULTS / "fit.md").write_text("\n".join([*head, *map(line_of, rows)]) + "\n")
    table = [asdict(row) | {"deviation": row.deviation} for row in rows]
    (RESULTS / "fit.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
