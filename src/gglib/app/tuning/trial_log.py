"""What a search has tried so far: the rows of its result, and all rounds of each set of arguments."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gglib.app.tuning.measured import Measured, gain, is_clearly_faster
from gglib.app.tuning.rows import Outcome, Row
from gglib.core.errors import ModelLoadFailedError
from gglib.runtime.engines.llama_cpp.tuning.steps import Candidate, StepKind

CURRENT = "current settings"
BEST = "all that is faster"
ONCE_MORE = "once more: "
LOSSY_NOTE = "changes answers slightly"
NOT_ALLOWED_NOTE = f"{LOSSY_NOTE}: kept only with --allow-kv-quantization"
Arguments = tuple[str, ...]


class Trials(Protocol):
    """Tries engine arguments on this machine."""

    async def skip_reason(self, arguments: Sequence[str]) -> str | None:
        """Return why the arguments are not measured, in a clause; None if they are."""
        ...

    async def measure(self, arguments: Sequence[str], *, is_again: bool) -> Measured:
        """Launch an engine, measure it and stop it; ``is_again``: with twice as many rounds.

        Raises ``ModelLoadFailedError``, also for a failed measurement.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is measured now."""

    label: str
    number: int
    """Counts the launches from 1."""
    expected: int
    """The launches of the whole search, as far as they are known."""


class TrialLog:
    """Measures arguments, and adds a row for each try."""

    def __init__(
        self, trials: Trials, on_progress: Callable[[Progress], None], *, allows_lossy: bool
    ) -> None:
        self.rows: list[Row] = []
        self.known: dict[Arguments, Measured] = {}
        """All rounds of each set of arguments that was measured."""
        self.expected = 1
        """The launches of the whole search."""
        self._trials = trials
        self._lossy_note = LOSSY_NOTE if allows_lossy else NOT_ALLOWED_NOTE
        self._on_progress = on_progress
        self._launches = 0
        self._row_of: dict[Arguments, int] = {}

    def has(self, arguments: Arguments) -> bool:
        """Whether the arguments were tried, with any outcome."""
        return arguments in self._row_of

    def expect(self, launches: int) -> None:
        """Set how many launches follow, so that the progress has an end."""
        self.expected = self._launches + launches

    async def measure_start(self, arguments: Arguments) -> None:
        """Measure the current settings. Raises ``ModelLoadFailedError``."""
        measured = await self._measured(CURRENT, arguments)
        self._add(arguments, Row(step=None, label=CURRENT, outcome=Outcome.CURRENT, measured=measured))

    async def measure(
        self, step: StepKind, candidate: Candidate, arguments: Arguments, *, base: Arguments
    ) -> None:
        """Measure a candidate and compare it with the arguments ``base``; a skipped or failed one gets a row, too."""
        label = candidate.change.label
        skipped = await self._trials.skip_reason(arguments)
        if skipped is not None:
            self._add(arguments, Row(step=step, label=label, outcome=Outcome.SKIPPED, note=skipped))
            return
        try:
            measured = await self._measured(label, arguments)
        except ModelLoadFailedError as error:
            self._add(arguments, Row(step=step, label=label, outcome=Outcome.FAILED, note=error.reason))
            return
        note = self._lossy_note if candidate.is_lossy else ""
        outcome = _outcome(measured, self.known[base])
        self._add(arguments, Row(step=step, label=label, outcome=outcome, measured=measured, note=note))

    async def measure_again(self, label: str, arguments: Arguments) -> bool:
        """Measure arguments once more, and add the rounds to the known ones; return False if that failed.

        With twice as many rounds: of 4,000 simulated searches among equally fast arguments (noise of 10 %, 3 rounds), 5
        found a gain, and 185 with as many as in the first measurement.
        """
        label = f"{ONCE_MORE}{label}"
        try:
            measured = await self._measured(label, arguments, is_again=True)
        except ModelLoadFailedError as error:
            self.rows.append(Row(step=None, label=label, outcome=Outcome.FAILED, note=error.reason))
            return False
        self.rows.append(Row(step=None, label=label, outcome=Outcome.AGAIN, measured=measured))
        return True

    def is_faster(self, arguments: Arguments, over: Arguments) -> bool:
        """Whether arguments are clearly faster than others, with all rounds; False if they were not measured."""
        measured = self.known.get(arguments)
        return measured is not None and is_clearly_faster(measured, self.known[over])

    def mark(self, arguments: Arguments, outcome: Outcome) -> None:
        """Replace the outcome of a row."""
        index = self._row_of[arguments]
        self.rows[index] = replace(self.rows[index], outcome=outcome)

    async def _measured(self, label: str, arguments: Arguments, *, is_again: bool = False) -> Measured:
        self._launches += 1
        self.expected = max(self.expected, self._launches)
        self._on_progress(Progress(label=label, number=self._launches, expected=self.expected))
        measured = await self._trials.measure(arguments, is_again=is_again)
        known = self.known.get(arguments)
        self.known[arguments] = measured if known is None else known.with_rounds(measured)
        return measured

    def _add(self, arguments: Arguments, row: Row) -> None:
        self._row_of[arguments] = len(self.rows)
        self.rows.append(row)


def _outcome(measured: Measured, base: Measured) -> Outcome:
    if is_clearly_faster(measured, base):
        return Outcome.FASTER
    return Outcome.SLOWER if gain(measured, base) <= 0 else Outcome.UNCLEAR
