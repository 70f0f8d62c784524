"""Compare greedy answers after saves and restores with those of an engine that never stopped, and of whole prompts.

Two models take turns. On each visit the engine of a model is launched, its slots are restored, each of three
conversations takes a turn, and the slots are saved again. The same turns go to an engine that never stops: it computes
the same tokens in the same parts, so its answers have to be equal. A prompt that is read whole is computed in other
batches, whose rounding differs: such answers may differ, with and without files, and both counts are printed.

    python -m scripts.kept_equality --turns 200 MODEL.gguf OTHER.gguf
    python -m scripts.kept_equality --engine llama-server --cache-type q8_0 MODEL.gguf OTHER.gguf

Exits with 1 if an answer after a restore differs from that of the running engine.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from bench.kept.bare import KINDS, engine_name
from bench.kept.equal_turns import Compared, Models
from bench.slots import spec_of

from gglib.testing import write_tiny_gguf

TYPES = ("f16", "q8_0")


def main() -> None:
    """Compare, and print the counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "models", type=Path, nargs="*", help="two files; none: tiny models that are written here"
    )
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--engine", choices=KINDS, default="embedded")
    parser.add_argument("--cache-type", choices=TYPES, default="f16", help="of keys and values")
    parser.add_argument("--threads", type=int, help="of each engine; default: as gglib plans them")
    options = parser.parse_args()
    if options.cache_type != "f16" and not options.models:
        parser.error("the heads of the tiny models are too small for q8_0: name two files")
    with tempfile.TemporaryDirectory(prefix="kept-equality-") as directory:
        home = Path(directory)
        compared = asyncio.run(run(home, options))
    print("\n".join(summary(compared, options.engine, options.cache_type)))
    sys.exit(compared.kept_as_running < compared.turns)


async def run(home: Path, options: argparse.Namespace) -> Compared:
    """Return the counts; without models: of tiny ones, with one thread: for them more threads take longer."""
    models, threads = options.models, options.threads
    if not models:
        models = [write_tiny_gguf(home / f"{name}.gguf", context_length=4096) for name in ("one", "two")]
        threads = 1
    arguments: tuple[str, ...] = ()
    if options.cache_type != "f16":
        kind = options.cache_type
        arguments = ("--cache-type-k", kind, "--cache-type-v", kind, "--flash-attn", "on")
    if threads is not None:
        arguments = (*arguments, "--threads", str(threads), "--threads-batch", str(threads))
    specs = [spec_of(path, *arguments) for path in models]
    return await Models(options.engine, specs, home).compare(options.turns)


def summary(compared: Compared, kind: str, cache_type: str) -> list[str]:
    """Return the counts in lines."""
    turns, restored = compared.turns, compared.restored_turns
    name = engine_name(kind)
    kept, never = "after a restore", "the engine that never stopped"
    return [
        f"{name}, K/V {cache_type}: {turns} turns, {restored} of them with tokens of a restored slot",
        f"{kept}, equal to {never}: {compared.kept_as_running} of {turns}",
        f"{kept}, as many tokens reused as in {never}: {compared.same_parts} of {turns}",
        f"{kept}, equal to the prompt read whole: {compared.kept_as_whole} of {turns}",
        f"{never}, equal to the prompt read whole: {compared.running_as_whole} of {turns}",
        *compared.differences,
    ]


if __name__ == "__main__":
    main()
