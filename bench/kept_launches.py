"""Launch parameters and what several conversations leave in the slots: ``python -m bench.kept_launches``.

Three conversations of two turns each on 4 slots, with different system prompts (351 characters) or with one; then the
tokens in the slots, which a save would keep, and a third turn of each conversation: the share of its last prompt that
was found, and the tokens of all prompts that were computed. The model is tiny and has a token for each character: the
counts are exact, whatever else runs. Both engines, each case on a new one. Linux only.
"""

import argparse
import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from bench.kept.bare import KINDS, bare, call, engine_name, saving_engine, server_path
from bench.kept.turns import Message, document, next_turn
from bench.slots import spec_of

from gglib.core.models import RunningTarget
from gglib.testing import write_tiny_gguf

RESULT = Path(__file__).resolve().parent / "results/kept-launches.md"
SLOTS, CONTEXT, CONVERSATIONS, TURNS = 4, 4096, 3, 3
SYSTEM_CHARS, MESSAGE_WORDS, ANSWER_TOKENS = 351, 8, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Parameters that differ from gglib's, for both engines."""

    name: str
    fields: dict[str, object] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()


UNIFIED: dict[str, object] = {"kv_unified": True}
LAUNCHES = (
    Launch(name="gglib's: a cache for each slot"),
    Launch(
        name="the same, `--no-cache-idle-slots`",
        fields={"cache_idle_slots": False},
        arguments=("--no-cache-idle-slots",),
    ),
    Launch(name="the same, `--cache-ram 0`", fields={"cache_ram_mib": 0}, arguments=("--cache-ram", "0")),
    Launch(
        name="the same, `--slot-prompt-similarity 0.5`",
        fields={"slot_prompt_similarity": 0.5},
        arguments=("--slot-prompt-similarity", "0.5"),
    ),
    Launch(name="unified", fields=UNIFIED, arguments=("--kv-unified",)),
    Launch(
        name="unified, `--no-cache-idle-slots`",
        fields={**UNIFIED, "cache_idle_slots": False},
        arguments=("--kv-unified", "--no-cache-idle-slots"),
    ),
    Launch(
        name="unified, `--cache-ram 0`",
        fields={**UNIFIED, "cache_ram_mib": 0},
        arguments=("--kv-unified", "--cache-ram", "0"),
    ),
    Launch(
        name="unified, `--cache-ram 0`, `--slot-prompt-similarity 0.5`",
        fields={**UNIFIED, "cache_ram_mib": 0, "slot_prompt_similarity": 0.5},
        arguments=("--kv-unified", "--cache-ram", "0", "--slot-prompt-similarity", "0.5"),
    ),
)


@dataclass(slots=True)
class Measured:
    """The figures of one launch."""

    slots: list[int] = field(default_factory=list)
    hits: list[float] = field(default_factory=list)
    computed: int = 0

    @property
    def cells(self) -> str:
        """Tokens in the slots, mean hits of the third turn, and computed tokens."""
        return f"{', '.join(map(str, self.slots))} | {fmean(self.hits):.2f} | {self.computed:,}"


async def converse(target: RunningTarget, *, is_shared: bool) -> Measured:
    """Take the turns of all conversations, one after the other."""
    measured = Measured()
    prompts = [0] * CONVERSATIONS
    messages: list[list[Message]] = [
        [{"role": "system", "content": document(0 if is_shared else one, SYSTEM_CHARS)[:SYSTEM_CHARS]}]
        for one in range(CONVERSATIONS)
    ]
    for turn in range(TURNS):
        if turn == TURNS - 1:
            status, slots = await call(target, "GET", "/slots")
            assert status == 200, slots
            measured.slots = [slot.get("n_prompt_tokens") or 0 for slot in slots]
        for one in range(CONVERSATIONS):
            question = f"{one} {document(f'{one}/{turn}', MESSAGE_WORDS)}"
            asked = [*messages[one], {"role": "user", "content": question}]
            answer = await ask(target, asked)
            timings = answer["timings"]
            measured.computed += timings["prompt_n"]
            if turn == TURNS - 1:
                measured.hits.append(min(1.0, timings["cache_n"] / prompts[one]))
            prompts[one] = timings["cache_n"] + timings["prompt_n"]
            messages[one] = next_turn(asked, answer["choices"][0]["message"]["content"], "")[:-1]
    return measured


async def ask(target: RunningTarget, messages: list[Message]) -> Any:  # noqa: ANN401 - JSON
    """Send a turn to an engine, which chooses the slot."""
    body = {"messages": messages, "max_tokens": ANSWER_TOKENS, "temperature": 0, "ignore_eos": True}
    status, answer = await call(target, "POST", "/v1/chat/completions", body)
    assert status == 200, answer
    return answer


async def measure(home: Path) -> str:
    """Return the tables of all engines."""
    saves = home / "saves"
    saves.mkdir()
    model = write_tiny_gguf(home / "tiny.gguf", context_length=CONTEXT)
    spec = spec_of(model, "--threads", "1", "--threads-batch", "1")
    parts = []
    for kind in KINDS if server_path() is not None else KINDS[:1]:
        parts += [f"## {engine_name(kind)}", "", HEAD]
        for launch in LAUNCHES:
            cells = []
            for is_shared in (False, True):
                own = saving_engine(kind, saves, fields=launch.fields, arguments=launch.arguments)
                async with bare(spec, own, slots=SLOTS, context=CONTEXT, home=home) as target:
                    cells.append((await converse(target, is_shared=is_shared)).cells)
            parts.append(f"| {launch.name} | {' | '.join(cells)} |")
            print(parts[-1], flush=True)
        parts.append("")
    return "\n".join(parts)


HEAD = """\
| Launch | Different system prompts: tokens in slots | found | computed | One system prompt: tokens in slots | found \
| computed |
|---|---|--:|--:|---|--:|--:|"""
PAGE = """\
# Launch parameters and conversations in slots

Made by `python -m bench.kept_launches` with a tiny model (a token for each character): {conversations} conversations of
{turns} turns on {slots} slots of {context:,} tokens, one after the other, each case on a new engine, which chooses the
slots. Tokens in slots: before the last turn; a save keeps them. Found: the share of a conversation's last prompt that
its last turn found in the engine, in a slot or in the host's prompt cache. Computed: the prompt tokens of all turns.

{tables}"""


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kept-launches-") as directory:
        tables = asyncio.run(measure(Path(directory)))
    RESULT.write_text(
        PAGE.format(conversations=CONVERSATIONS, turns=TURNS, slots=SLOTS, context=CONTEXT, tables=tables)
    )


if __name__ == "__main__":
    main()
