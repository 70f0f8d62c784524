"""The same turns in an engine whose slots were saved and restored, in one that never stopped, and read whole."""

from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.kept.bare import bare, call, restore, save, saving_engine
from bench.kept.turns import Message, next_turn, opening

from gglib.core.models import ModelLaunchSpec, RunningTarget

CONVERSATIONS = 3
SLOTS = CONVERSATIONS + 1
WHOLE = CONVERSATIONS
"""The slot in which prompts are read whole."""
CONTEXT = 4096
TURNS = 8
"""Of a conversation; then another one begins in its slot."""
FIRST_WORDS, WORDS, ANSWER_TOKENS = 120, 40, 16


@dataclass(frozen=True, slots=True)
class Reply:
    """The response to one turn."""

    text: str
    cached: int
    computed: int


@dataclass(slots=True)
class Compared:
    """How often the texts of the responses were equal."""

    turns: int = 0
    kept_as_running: int = 0
    """After a restore, and in an engine that never stopped: both computed the same tokens in the same parts."""
    kept_as_whole: int = 0
    running_as_whole: int = 0
    restored_turns: int = 0
    """Turns that found their prompt in a restored slot."""
    same_parts: int = 0
    """Turns for which kept and running reused and computed as many tokens."""
    differences: list[str] = field(default_factory=list)
    """Where kept and running differ."""


class Models:
    """Two models, each with an engine that never stops, and one that is launched for each visit."""

    def __init__(self, kind: str, specs: Sequence[ModelLaunchSpec], home: Path) -> None:
        self._kind, self._specs, self._home = kind, specs, home
        self._saves = home / "saves"
        self._saves.mkdir()
        self._running: list[RunningTarget] = []
        self._messages: dict[tuple[int, int], list[Message]] = {}
        self._started = 0

    async def compare(self, turns: int) -> Compared:
        """Visit the models in alternation until there were ``turns`` turns."""
        compared, visit = Compared(), 0
        async with AsyncExitStack() as stack:
            for spec in self._specs:
                launch = bare(spec, self._engine(), slots=SLOTS, context=CONTEXT, home=self._home)
                self._running.append(await stack.enter_async_context(launch))
            while compared.turns < turns:
                await self._visit(visit % len(self._specs), compared, turns)
                visit += 1
        return compared

    async def _visit(self, model: int, compared: Compared, turns: int) -> None:
        """Launch a model, restore its slots, take a turn of each conversation, save the slots and stop."""
        async with bare(
            self._specs[model], self._engine(), slots=SLOTS, context=CONTEXT, home=self._home
        ) as target:
            restored = set[int]()
            for slot in range(CONVERSATIONS):
                if (self._saves / self._file(model, slot)).exists():
                    await restore(target, slot, self._file(model, slot))
                    restored.add(slot)
            for slot in range(CONVERSATIONS):
                if compared.turns < turns:
                    await self._turn(target, model, slot, compared, is_restored=slot in restored)
            for slot in range(CONVERSATIONS):
                await save(target, slot, self._file(model, slot))

    async def _turn(
        self, target: RunningTarget, model: int, slot: int, compared: Compared, *, is_restored: bool
    ) -> None:
        messages = self._messages.get((model, slot))
        if messages is None or len(messages) > 2 * TURNS:
            self._started += 1
            messages, is_restored = opening(self._started, FIRST_WORDS, "Which word is first?"), False
        kept = await reply(target, messages, slot)
        running = await reply(self._running[model], messages, slot)
        whole = await reply(self._running[model], messages, WHOLE, cache_prompt=False)
        compared.turns += 1
        compared.kept_as_running += kept.text == running.text
        compared.kept_as_whole += kept.text == whole.text
        compared.running_as_whole += running.text == whole.text
        compared.restored_turns += is_restored and kept.cached > 0
        compared.same_parts += (kept.cached, kept.computed) == (running.cached, running.computed)
        if kept.text != running.text:
            compared.differences.append(
                f"turn {compared.turns}, model {model + 1}: {kept.text!r} and {running.text!r} "
                f"(reused {kept.cached} and {running.cached})"
            )
        question = (
            f"Continue with {len(messages)} words after {' '.join(_words(self._started, len(messages)))}."
        )
        self._messages[model, slot] = next_turn(messages, kept.text, question)

    def _engine(self) -> Any:  # noqa: ANN401 - an engine
        return saving_engine(self._kind, self._saves)

    @staticmethod
    def _file(model: int, slot: int) -> str:
        return f"{model}-{slot}"


def _words(seed: int, number: int) -> Iterable[str]:
    return opening(f"{seed}/{number}", WORDS, "")[1]["content"].split()


async def reply(
    target: RunningTarget, messages: Sequence[Message], slot: int, *, cache_prompt: bool = True
) -> Reply:
    """Send a greedy turn to a slot."""
    body = {
        "messages": messages,
        "max_tokens": ANSWER_TOKENS,
        "temperature": 0,
        "ignore_eos": True,
        "id_slot": slot,
        "cache_prompt": cache_prompt,
    }
    status, answer = await call(target, "POST", "/v1/chat/completions", body)
    assert status == 200, answer
    timings = answer["timings"]
    return Reply(answer["choices"][0]["message"]["content"], timings["cache_n"], timings["prompt_n"])
