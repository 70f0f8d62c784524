"""What keeping prompts adds to a swap, through ``gglib serve`` with a real engine: ``python -m bench.kept_swaps``.

Two servers at once, each with the same two models and one resident: nothing is kept (``kv_keep`` 0), and kept as
shipped. In each round, another side first: the next turn of a conversation of 2,000 or 6,000 words with A, and a
request for B, from whose start to its first text is the swap. Where nothing is kept, A is asked something short
instead: its slot is of no matter then, and each turn would be read anew.

Forty rounds take about five minutes for each length. A is SmolLM2-135M, or ``--model``; B is SmolLM2-135M. Linux only.
"""

import argparse
import json
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Any

from bench.kept.bare import KINDS, engine_name, server_path
from bench.kept.scenario import MODEL, OTHER, OTHER_PROMPT, in_turn
from bench.kept.servers import OFF, SHIPPED, SIDES, serve_sides, small_model
from bench.kept.turns import Message, ask, next_turn, opening
from bench.swap import machine

RESULT = Path(__file__).resolve().parent / "results/kept-swaps.md"
WORDS, QUICK = (2_000, 6_000), 150
COMPARED = {name: SIDES[name] for name in (OFF, SHIPPED)}
SHORT: list[Message] = [{"role": "user", "content": "Name a colour."}]
TURNS = 40
"""After so many turns the conversation begins anew: the context has room for no more."""
RESAMPLES = 2_000
HEAD = """\
| A, words | Side | Swap to B, s (quartiles) | Ratio (90 % of resamples) | Stop, s | Load, s | Saved: tokens, s |
|---|---|--:|--:|--:|--:|--:|"""


@dataclass(slots=True)
class Side:
    """One server and what its swaps to B took."""

    address: str
    messages: list[Message] | None
    """Those of the conversation; None where nothing is kept."""
    swaps_s: list[float] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    """What gglib says of them (``GET /gglib/swaps``)."""

    def take(self, number: int, words: int) -> None:
        """Take one round."""
        if self.messages is None:
            ask(self.address, MODEL, SHORT)
        else:
            if number % TURNS == 0:
                self.messages = opening(f"{number}", words, "Which word is first?")
            answer = ask(self.address, MODEL, self.messages)
            self.messages = next_turn(self.messages, answer.text, f"And word {number + 2}?")
        seconds = ask(self.address, OTHER, OTHER_PROMPT).first_token_s
        if number:  # the first one has no rates of this model yet
            self.swaps_s.append(seconds)
            self.records.append(self._last_swap())

    def _last_swap(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{self.address}/gglib/swaps?limit=1", timeout=60) as response:
            swap: dict[str, Any] = json.load(response)["swaps"][0]
        assert swap["to_model"] == OTHER, swap
        return swap


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--words", type=int, action="append", help="of the conversation; may be repeated")
    parser.add_argument("--quick", action="store_true", help="four rounds with tiny models; writes nothing")
    parser.add_argument("--model", type=Path, action="append", help="file of A; may be repeated")
    parser.add_argument("--engine", choices=KINDS, action="append")
    parser.add_argument("--output", type=Path, default=RESULT, help="file of the report")
    options = parser.parse_args()
    kinds = options.engine or (KINDS if server_path() is not None else KINDS[:1])
    lengths, rounds = ([QUICK], 4) if options.quick else (options.words or WORDS, options.rounds)
    with small_model(is_quick=options.quick) as small:
        made = f"{datetime.now(UTC):%Y-%m-%d}: {machine()}"
        parts = [introduction(made, rounds)]
        for kind in kinds:
            lines = [HEAD]
            for model, words in product(options.model or [small], lengths):
                lines += rows(f"{model.stem}, {words:,}", measure(kind, model, small, words, rounds))
            parts.append(f"## {engine_name(kind)}\n\n" + "\n".join(lines))
            text = "\n\n".join(parts) + "\n"
            if not options.quick:
                options.output.write_text(text)
    print(text)


def introduction(made: str, rounds: int) -> str:
    """Return what was measured, and how."""
    return f"""# Swaps from a model whose prompts are kept

Measured by `python -m bench.kept_swaps` on {made}. A has a conversation of so many
words, which goes on by a turn in each round; then B is asked, SmolLM2-135M: from its request to its first text is the
swap. Of {rounds} rounds the first one is left out: it knows no rates. The sides take turns, and another one is first in
each round. Times are medians, ratios those to the side that keeps nothing. Stop, load and what was saved are gglib's
own figures; where B loads beside the saves, the stop is short."""


def measure(kind: str, model: Path, other: Path, words: int, rounds: int) -> dict[str, Side]:
    """Return what each side took on an engine."""
    with serve_sides(kind, model, other, COMPARED) as addresses:
        sides = {name: Side(address, None if name == OFF else []) for name, address in addresses.items()}
        for number in range(rounds):
            for name in in_turn(list(sides), number):
                sides[name].take(number, words)
        for name, side in sides.items():
            slowest_s, number = max(zip(side.swaps_s, range(rounds), strict=False))
            print(
                f"{kind}, {model.stem}, {name}: slowest {slowest_s:.2f} s: {side.records[number]}", flush=True
            )
        return sides


def rows(model: str, sides: dict[str, Side]) -> list[str]:
    """Return the lines of the table for one model."""
    base_s = sides[OFF].swaps_s
    lines = []
    for name, side in sides.items():
        low_s, _, high_s = quantiles(side.swaps_s, n=4)
        low, high = ratio_range(side.swaps_s, base_s)
        ratio = median(side.swaps_s) / median(base_s)
        saved = [swap["saved"] for swap in side.records if swap["saved"] is not None]
        shown = (
            f"{median(one['tokens'] for one in saved):,.0f} in {median(one['seconds'] for one in saved):.2f} "
            f"({len(saved)} of {len(side.records)})"
            if saved
            else "none"
        )
        stop_s, load_s = (median(swap[key] for swap in side.records) for key in ("stop_s", "load_s"))
        chance = "" if name == OFF else f" ({low:.2f} to {high:.2f})"
        lines.append(
            f"| {model} | {name} | {median(side.swaps_s):.2f} ({low_s:.2f} to {high_s:.2f}) "
            f"| {ratio:.2f}{chance} | {stop_s:.2f} | {load_s:.2f} | {shown} |"
        )
    return lines


def ratio_range(times_s: Sequence[float], base_s: Sequence[float]) -> tuple[float, float]:
    """Return the range of the middle 90 % of the ratios of medians in random resamples (bootstrap)."""
    draw = Random(1)
    ratios = sorted(
        median(draw.choices(times_s, k=len(times_s))) / median(draw.choices(base_s, k=len(base_s)))
        for _ in range(RESAMPLES)
    )
    return ratios[RESAMPLES // 20], ratios[-RESAMPLES // 20 - 1]


if __name__ == "__main__":
    main()
