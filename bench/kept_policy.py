"""What is kept, simulated beside never and always: ``python -m bench.kept_policy`` from the project's root.

Pure and seeded: the same code writes the same report. It takes a minute or two.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from bench.kept.conversations import LONG_AGENT, SHORT, WEEK
from bench.kept.figures import SEEDS, measure
from bench.kept.keepers import GB, Always, ByCost, Keeper, Never
from bench.kept.machines import GPU, LAPTOP, MACHINES, QWEN, SMALL
from bench.kept.report import ALONE, ALWAYS, DEFAULT, KEPT, NEVER, NO_LIMIT, Sweep, page, plot
from bench.policies.traces import Trace

from gglib.runtime.engines.kept_prompts import policy
from gglib.runtime.engines.kept_prompts.policy import WRITE_BYTES_H

RESULTS = Path(__file__).resolve().parent / "results"
KEEP_BYTES = 8 * GB
RULES: dict[str, Keeper] = {
    NEVER: Never(),
    ALWAYS: Always(KEEP_BYTES),
    ALONE: ByCost(KEEP_BYTES, write_bytes_h=WRITE_BYTES_H),
    DEFAULT: ByCost(KEEP_BYTES, has_memory_for_two=True, write_bytes_h=WRITE_BYTES_H),
    KEPT: ByCost(KEEP_BYTES, has_memory_for_two=True, is_lifted=True),
}
TRACES: tuple[Trace, ...] = (*(trace for trace in SHORT if trace.name != "burst"), WEEK)
"""Without the burst: it has one model, and nothing to keep."""
LIMITS_GB = (1, 2, 4, 8, 16, 32)
WRITES_GB_H = (10, 20, 40)
CHANCES = (1.0, 0.5, 0.25)
GPU_TOKENS_S = (1_000, 2_000, 3_500, 5_000)
SWEPT = ("agent", "ten-models", "week")


def main() -> None:
    """Write ``kept-policy.md`` and its plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="directory of the report")
    output: Path = parser.parse_args().output
    started = time.perf_counter()
    text, picture = report(seeds=SEEDS)
    output.mkdir(parents=True, exist_ok=True)
    (output / "kept-policy.md").write_text(text)
    (output / "kept-policy.svg").write_text(picture)
    print(f"{output / 'kept-policy.md'} after {time.perf_counter() - started:.1f} s")


def report(*, seeds: tuple[int, ...]) -> tuple[str, str]:
    """Return the page and the plot."""
    tables = {
        machine: {
            trace: {name: measure(trace, rule, machine, seeds=seeds) for name, rule in RULES.items()}
            for trace in TRACES
        }
        for machine in MACHINES
        if machine.break_even_tokens is not None
    }
    text = page(tables, writes(seeds), limits(seeds), chances(seeds))
    return text, plot(tables[LAPTOP], f"Prompt seconds: {LAPTOP.name}")


def writes(seeds: tuple[int, ...]) -> Sweep:
    """Measure other values of ``WRITE_BYTES_H``."""
    found: Sweep = {}
    for machine in (LAPTOP, QWEN):
        for trace in (LONG_AGENT, WEEK):
            row = {NEVER: measure(trace, Never(), machine, seeds=seeds)}
            for gb_h in WRITES_GB_H:
                rule = ByCost(KEEP_BYTES, has_memory_for_two=True, write_bytes_h=gb_h * GB)
                row[f"{gb_h} GB/h"] = measure(trace, rule, machine, seeds=seeds)
            row[NO_LIMIT] = measure(trace, ByCost(KEEP_BYTES, has_memory_for_two=True), machine, seeds=seeds)
            found[f"{machine.name}: {trace.title}"] = row
    return found


def limits(seeds: tuple[int, ...]) -> Sweep:
    """Measure other values of ``kv_keep``."""
    return {
        f"{limit} GB": {
            machine.name: measure(
                WEEK,
                ByCost(limit * GB, has_memory_for_two=True, is_lifted=True),
                machine,
                seeds=seeds,
            )
            for machine in (SMALL, LAPTOP, QWEN)
        }
        for limit in LIMITS_GB
    }


def chances(seeds: tuple[int, ...]) -> Sweep:
    """Measure other chances of a return, where a save delays the load that waits for it."""
    found: Sweep = {}
    for tokens_s in GPU_TOKENS_S:
        machine = replace(GPU, rates=replace(GPU.rates, prompt_tokens_s=float(tokens_s)))
        for trace in TRACES:
            if trace.name not in SWEPT:
                continue
            row = {"nothing kept": measure(trace, Never(), machine, seeds=seeds)}
            for chance in CHANCES:
                with patch.object(policy, "RETURN_CHANCE", chance):
                    row[f"{chance:g}"] = measure(
                        trace, ByCost(KEEP_BYTES, is_lifted=True), machine, seeds=seeds
                    )
            found[f"{tokens_s:,}, {trace.title}"] = row
    return found


if __name__ == "__main__":
    main()
