"""The tables of ``bench.kept_prompts``. Text in, text out."""

from collections.abc import Mapping
from statistics import median

from bench.kept.scenario import FIRST, Measured
from bench.kept.turns import Answer

HEAD = """\
| Prompt, words | Turn | Side | Time to first token, s | Ratio | Reused, computed | Prompt alone, s |
|--:|---|---|--:|--:|--:|--:|"""
SWAP_HEAD = """\
| In the slots of A, words | Side | Swap to B, s: median (least to most) | Ratio | Swaps |
|--:|---|--:|--:|--:|"""


def page(
    found: Mapping[tuple[str, str], Mapping[str, Measured]],
    *,
    baseline: str,
    rounds: int,
    long_rounds: int,
    made: str,
) -> str:
    """Return the report as Markdown. ``baseline`` is the side that the ratios are of."""
    introduction = f"""Measured by `python -m bench.kept_prompts` on {made}. Medians of {rounds} rounds, of
{long_rounds} with the longest prompts; the sides take turns, and another one is first in each round. B is SmolLM2-135M.
Each time is from a request to its first text through `gglib serve`: the swap, restores and the prompt; the prompt alone
is the engine's own time. Ratios are to the side that keeps nothing. Reused and computed are tokens."""
    parts = ["# Kept prompts", introduction]
    for (engine, model), sides in found.items():
        parts += [f"## {model}: {engine}", turn_table(sides, baseline), swap_table(sides, baseline)]
    return "\n\n".join(parts) + "\n"


def turn_table(sides: Mapping[str, Measured], baseline: str) -> str:
    """Return the times of all turns after a swap."""
    lines = [HEAD]
    for words, what in sides[baseline].answers:
        if what == FIRST:
            continue
        base_s = _first_token_s(sides[baseline].answers[words, what])
        for name, side in sides.items():
            answers = side.answers[words, what]
            seconds = _first_token_s(answers)
            lines.append(
                f"| {words:,} | {what} | {name} | {seconds:.2f} | {seconds / base_s:.2f} | {_tokens(answers)} "
                f"| {median(one.prompt_s for one in answers):.2f} |"
            )
    return "\n".join(lines)


def swap_table(sides: Mapping[str, Measured], baseline: str) -> str:
    """Return the times of the swaps to B."""
    lines = [SWAP_HEAD]
    for words, base in sides[baseline].swaps_s.items():
        for name, side in sides.items():
            times = side.swaps_s[words]
            ratio = median(times) / median(base)
            lines.append(
                f"| {words:,} | {name} | {median(times):.2f} ({min(times):.2f} to {max(times):.2f}) | {ratio:.2f} "
                f"| {len(times)} |"
            )
    return "\n".join(lines)


def _first_token_s(answers: list[Answer]) -> float:
    return median(one.first_token_s for one in answers)


def _tokens(answers: list[Answer]) -> str:
    """Return the tokens that the median turn reused and computed."""
    one = sorted(answers, key=lambda one: one.cached)[len(answers) // 2]
    return f"{one.cached:,}, {one.computed:,}"
