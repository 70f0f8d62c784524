"""The rounds of ``bench.kept_prompts``: conversations with one model before and after a swap to another one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.kept.turns import Answer, Message, ask, next_turn, opening

MODEL, OTHER = "model-a", "model-b"
OTHER_PROMPT: list[Message] = [
    {"role": "user", "content": "Name three colours of the rainbow, and nothing else."}
]
FIRST, NEXT, QUESTION, TURNS = "first turn", "next turn", "other question", "three conversations"


@dataclass(slots=True)
class Measured:
    """What one side returned, by the length of the prompts in words."""

    answers: dict[tuple[int, str], list[Answer]] = field(default_factory=dict)
    swaps_s: dict[int, list[float]] = field(default_factory=dict)
    """From a request for the other model to its first token, after the model has such prompts in its slots."""

    def add(self, words: int, what: str, answer: Answer) -> None:
        """Note an answer."""
        self.answers.setdefault((words, what), []).append(answer)

    def swap(self, address: str, words: int) -> None:
        """Swap to the other model, and note the time."""
        self.swaps_s.setdefault(words, []).append(ask(address, OTHER, OTHER_PROMPT).first_token_s)


def go_on(addresses: Mapping[str, str], sides: Mapping[str, Measured], words: int, number: int) -> None:
    """Take one round with prompts of this length on all sides, another one first in each round."""
    for name in in_turn(list(addresses), number):
        _two_questions(addresses[name], sides[name], words, number)


def go_on_with_three(
    addresses: Mapping[str, str], sides: Mapping[str, Measured], words: int, number: int
) -> None:
    """Take one round of three conversations with prompts of this length on all sides."""
    for name in in_turn(list(addresses), number):
        _three_conversations(addresses[name], sides[name], words, number)


def in_turn(names: list[str], number: int) -> list[str]:
    """Return the names, another one first for each number."""
    first = number % len(names)
    return names[first:] + names[:first]


def _two_questions(address: str, measured: Measured, words: int, number: int) -> None:
    """Take turns: A, B, A with the next turn, B, A with another question on the same document."""
    asked = opening(f"{words}/{number}", words, "Which word is first?")
    first = ask(address, MODEL, asked)
    measured.add(words, FIRST, first)
    measured.swap(address, words)
    measured.add(words, NEXT, ask(address, MODEL, next_turn(asked, first.text, "And the second?")))
    measured.swap(address, words)
    other = opening(f"{words}/{number}", words, "How many colours are named?")
    measured.add(words, QUESTION, ask(address, MODEL, other))
    measured.swap(address, words)


def _three_conversations(address: str, measured: Measured, words: int, number: int) -> None:
    """Take turns: three conversations with A, B, then the next turn of each."""
    openings = [opening(f"{one}/three/{number}", words, "Which word is first?") for one in range(3)]
    answers = [ask(address, MODEL, asked) for asked in openings]
    measured.swap(address, words)
    for asked, answer in zip(openings, answers, strict=True):
        measured.add(words, TURNS, ask(address, MODEL, next_turn(asked, answer.text, "And the second?")))
    measured.swap(address, words)
