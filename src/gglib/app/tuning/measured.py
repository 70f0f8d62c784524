"""The rounds of one measurement, and when one is clearly faster than another. Pure; times in seconds.

What counts is the time of a typical turn: the tokens of the prompt by the prompt rate, plus the generated tokens by the
generation rate. A change has to gain more than the measurements scatter: each of its rounds is faster than each round
without it. The slowest fifth of the rounds does not count, because other programs make rounds slower, never faster.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from gglib.runtime.engines.rates import Rates

MIN_GAIN = 0.02
"""Smaller gains are not worth an argument that has to be understood later."""
_NOT_COUNTED = 5
"""One round of this many does not count, the slowest: none of three, one of five, two of ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The size of a typical turn, in tokens."""

    prompt_tokens: int
    tokens: int
    """Generated ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The rates of at least one round."""

    rounds: tuple[Rates, ...]
    turn: Turn

    @property
    def prompt_per_s(self) -> float:
        """The median rate of the prompt, in tokens per second."""
        return statistics.median(rates.prompt_per_s for rates in self.rounds)

    @property
    def generated_per_s(self) -> float:
        """The median rate of the generation, in tokens per second."""
        return statistics.median(rates.generated_per_s for rates in self.rounds)

    @property
    def turn_s(self) -> float:
        """The median time of a turn."""
        return statistics.median(self._turns_s())

    @property
    def noise_s(self) -> float:
        """Half of the distance between the fastest and the slowest turn that counts."""
        return (self.slowest_s - self.fastest_s) / 2

    @property
    def fastest_s(self) -> float:
        """The time of the fastest turn."""
        return min(self._turns_s())

    @property
    def slowest_s(self) -> float:
        """The time of the slowest turn that counts."""
        turns_s = sorted(self._turns_s())
        return turns_s[-1 - len(turns_s) // _NOT_COUNTED]

    @property
    def noise(self) -> float:
        """The noise as a share of the time of a turn."""
        return self.noise_s / self.turn_s

    def with_rounds(self, more: "Measured") -> "Measured":
        """Return the measurement with the rounds of another one of the same arguments."""
        return Measured(rounds=(*self.rounds, *more.rounds), turn=self.turn)

    def _turns_s(self) -> Sequence[float]:
        size = self.turn
        return [rates.turn_s(prompt_tokens=size.prompt_tokens, tokens=size.tokens) for rates in self.rounds]


def gain(measured: Measured, over: Measured) -> float:
    """Return the share of the time of a turn that ``measured`` saves; negative if it is slower."""
    return 1 - measured.turn_s / over.turn_s


def is_clearly_faster(measured: Measured, over: Measured) -> bool:
    """Whether each turn that counts is faster than each one of ``over``, and the gain at least ``MIN_GAIN``."""
    return measured.slowest_s < over.fastest_s and gain(measured, over) >= MIN_GAIN


def fitted_turn(context: int, *, prompt_tokens: int, tokens: int) -> Turn:
    """Return the size of a turn that fits a context: a quarter of it at most is generated."""
    generated = max(2, min(tokens, context // 4))
    return Turn(prompt_tokens=max(1, min(prompt_tokens, context - generated - _SPARE)), tokens=generated)


_SPARE = 8
"""Tokens of the context that stay free: the engine reserves one for the next token."""
