"""Kept prompts beside cold ones, through ``gglib serve`` with real engines: ``python -m bench.kept_prompts``.

Three servers at once, each with the same two models and one resident: nothing is kept (``kv_keep`` 0), kept as shipped,
and kept with ``keep_conversations`` of the first model. In each round, another side first: a conversation on a document
of 2,000 and of 6,000 words (about a token each) with A, a request for B, the next turn with A, B, another question on
the same document, B. Then three conversations of 1,200 words with A, B, and the next turn of each. Each time is from a
request to its first text, swaps, restores and prompts included.

One round takes about ten minutes for an engine and a model on two idle cores.
A is SmolLM2-135M, which is fetched as ``gglib up`` does, or ``--model``; B is SmolLM2-135M. Linux only.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from bench.kept.bare import KINDS, engine_name, server_path
from bench.kept.prompts_page import page
from bench.kept.scenario import Measured, go_on, go_on_with_three
from bench.kept.servers import OFF, SIDES, serve_sides, small_model
from bench.swap import machine

RESULT = Path(__file__).resolve().parent / "results/kept-prompts.md"
LENGTHS, SHORT = (2_000, 6_000), 1_200
QUICK = 150


def main() -> None:
    """Measure, print the tables and write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--long-rounds", type=int, help="rounds of the longest prompts (default: as --rounds)"
    )
    parser.add_argument("--quick", action="store_true", help="one round with tiny models; writes nothing")
    parser.add_argument("--model", type=Path, action="append", help="file of A; may be repeated")
    parser.add_argument("--engine", choices=KINDS, action="append")
    parser.add_argument("--output", type=Path, default=RESULT, help="file of the report")
    options = parser.parse_args()
    kinds = options.engine or (KINDS if server_path() is not None else KINDS[:1])
    lengths, rounds = ((QUICK, QUICK), 1) if options.quick else ((*LENGTHS, SHORT), options.rounds)
    long_rounds = rounds if options.long_rounds is None else min(rounds, options.long_rounds)
    with small_model(is_quick=options.quick) as small:
        found: dict[tuple[str, str], dict[str, Measured]] = {}
        made = f"{datetime.now(UTC):%Y-%m-%d}: {machine()}"
        for kind in kinds:
            for model in options.model or [small]:
                measured = measure(kind, model, small, lengths, (rounds, long_rounds))
                found[engine_name(kind), model.stem] = measured
                text = page(found, baseline=OFF, rounds=rounds, long_rounds=long_rounds, made=made)
                if not options.quick:  # after each: the next one takes minutes
                    options.output.write_text(text)
    print(text)


def measure(
    kind: str, model: Path, other: Path, lengths: tuple[int, ...], rounds: tuple[int, int]
) -> dict[str, Measured]:
    """Return what each side measured on an engine. The last length is that of the three conversations.

    The second number of rounds is that of the length before it.
    """
    sides = {name: Measured() for name in SIDES}
    with serve_sides(kind, model, other, SIDES) as addresses:
        for number in range(rounds[0]):
            for words in lengths[:-1] if number < rounds[1] else lengths[:-2]:
                go_on(addresses, sides, words, number)
            go_on_with_three(addresses, sides, lengths[-1], number)
            print(f"{kind}, {model.stem}: round {number + 1} of {rounds[0]}", flush=True)
    return sides


if __name__ == "__main__":
    main()
