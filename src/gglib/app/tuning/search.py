"""The search for faster engine arguments: one kind of option after the other, from the current arguments.

Decides only: ``Trials`` measures. The rules:

1. The current arguments are measured first. If they cannot be loaded, there is nothing to compare with.
2. The candidates of a step are compared with the best arguments so far, its base. The fastest of those that are clearly
   faster (``measured.is_clearly_faster``) and its base are measured once more, with twice as many rounds. With all
   rounds together it has to be clearly faster still, then it is the base of the next step; else the next fastest is
   tried. Without the second measurement, a base that was slow by chance would make others look faster.
3. The engine's default is preferred to a value that is not clearly faster than it.
4. A candidate that the engine does not take or that does not fit into the memory is skipped, and one whose load or
   measurement fails is a row with the reason.
5. Quantised K/V caches change answers: they are measured, but taken only if that is allowed.
6. If several steps have changed something, the current arguments and the best ones are measured once more at the end.
   Without a clear gain the current arguments stay: other programs, or a processor that has become hot, may have changed
   the speed meanwhile.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gglib.app.tuning.measured import Measured, is_clearly_faster
from gglib.app.tuning.rows import Outcome, Row
from gglib.app.tuning.trial_log import BEST, CURRENT, Arguments, Progress, TrialLog, Trials
from gglib.runtime.engines.llama_cpp.tuning.arguments import changed_arguments
from gglib.runtime.engines.llama_cpp.tuning.steps import Candidate, Step

_NOT_CONFIRMED = "Measured once more, all changes together gain no more than the noise."


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The result of a search."""

    rows: tuple[Row, ...]
    start: Arguments
    best: Arguments
    """Equal to ``start`` if nothing is clearly faster."""
    before: Measured
    """All rounds of ``start``."""
    after: Measured
    """All rounds of ``best``."""
    notes: tuple[str, ...] = ()
    """Steps without candidates, and why a gain was not confirmed; as sentences."""

    @property
    def is_faster(self) -> bool:
        """Whether other arguments than the current ones are clearly faster."""
        return self.best != self.start


async def search(
    trials: Trials,
    steps: Sequence[Step],
    start: Arguments,
    *,
    allows_lossy: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Found:
    """Search from the arguments ``start``. Raises ``ModelLoadFailedError`` if they cannot be loaded."""
    log = TrialLog(trials, on_progress, allows_lossy=allows_lossy)
    log.expect(1 + sum(len(step.candidates(start)) for step in steps))
    await log.measure_start(start)
    best, taken, notes = start, 0, []
    for step in steps:
        if not (candidates := step.candidates(best)):
            if step.reason_if_empty:
                notes.append(f"Nothing to try for '{step.kind.value}': {step.reason_if_empty}.")
            continue
        faster = await _try_all(log, step, candidates, best, allows_lossy=allows_lossy)
        found = await _take_one(log, faster, best)
        if found is not None:
            best, taken = found, taken + 1
    if taken > 1 and (reason := await _doubt(log, start, best)) is not None:
        best = start
        notes.append(reason)
    return Found(
        rows=tuple(log.rows),
        start=start,
        best=best,
        before=log.known[start],
        after=log.known[best],
        notes=tuple(notes),
    )


async def _try_all(
    log: TrialLog, step: Step, candidates: Sequence[Candidate], base: Arguments, *, allows_lossy: bool
) -> dict[Arguments, Candidate]:
    """Measure the candidates that were not tried before; return those that may be taken, by their arguments."""
    faster = {}
    for candidate in candidates:
        arguments = changed_arguments(base, candidate.change)
        if log.has(arguments):
            continue
        await log.measure(step.kind, candidate, arguments, base=base)
        if log.is_faster(arguments, base) and (allows_lossy or not candidate.is_lossy):
            faster[arguments] = candidate
    return faster


async def _take_one(log: TrialLog, faster: dict[Arguments, Candidate], base: Arguments) -> Arguments | None:
    """Return the arguments of the fastest candidate that is confirmed (rule 2); None if none is."""
    is_base_measured = False
    while faster:
        arguments = _choice(log, faster)
        label = faster.pop(arguments).change.label
        if not is_base_measured:
            is_base_measured = await log.measure_again("without a change", base)
        is_measured = await log.measure_again(label, arguments)
        if is_base_measured and is_measured and log.is_faster(arguments, base):
            log.mark(arguments, Outcome.TAKEN)
            return arguments
        log.mark(arguments, Outcome.UNCLEAR)
    return None


def _choice(log: TrialLog, faster: dict[Arguments, Candidate]) -> Arguments:
    """Return the fastest; but rather the engine's default, if nothing is clearly faster than that (rule 3)."""
    fastest = min(faster, key=lambda arguments: log.known[arguments].turn_s)
    defaults = (arguments for arguments, candidate in faster.items() if not candidate.change.values)
    equal = (one for one in defaults if not is_clearly_faster(log.known[fastest], log.known[one]))
    return next(equal, fastest)


async def _doubt(log: TrialLog, start: Arguments, best: Arguments) -> str | None:
    """Measure both once more (rule 6); return why the gain is not confirmed, as a sentence, or None."""
    log.expect(2)
    if await log.measure_again(CURRENT, start) and await log.measure_again(BEST, best):
        return None if log.is_faster(best, start) else _NOT_CONFIRMED
    return f"The gain was not confirmed: {log.rows[-1].note}."
