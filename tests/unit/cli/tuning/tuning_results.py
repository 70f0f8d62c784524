"""Results of tunings, for the tests of their views."""

from gglib.app.tuning.measured import Measured, Turn
from gglib.app.tuning.rows import Outcome, Row
from gglib.app.tuning.search import Found
from gglib.app.tuning.tuning import TuningResult
from gglib.runtime.engines.llama_cpp.tuning.steps import StepKind
from gglib.runtime.engines.rates import Rates

TURN = Turn(prompt_tokens=512, tokens=64)


def measured(speed: float = 1.0, *, noise: float = 0.0) -> Measured:
    """Return a measurement of three rounds: a turn of 1.6 s at the speed 1."""
    speeds = (speed * (1 - noise), speed, speed / (1 - noise))
    rounds = tuple(Rates(prompt_per_s=512 * each, generated_per_s=64 / 0.6 * each) for each in speeds)
    return Measured(rounds=rounds, turn=TURN)


ROWS = (
    Row(step=None, label="current settings", outcome=Outcome.CURRENT, measured=measured(noise=0.01)),
    Row(step=StepKind.THREADS, label="--threads 1", outcome=Outcome.SLOWER, measured=measured(0.5)),
    Row(step=StepKind.BATCH, label="--ubatch-size 128", outcome=Outcome.TAKEN, measured=measured(1.25)),
    Row(step=StepKind.FLASH, label="--flash-attn on", outcome=Outcome.FAILED, note="not <supported>"),
    Row(
        step=StepKind.KV,
        label="--cache-type-k q8_0 --cache-type-v q8_0 --flash-attn on",
        outcome=Outcome.SKIPPED,
        note="the engine in use does not take this option",
    ),
)


def result(*, best: tuple[str, ...] = ("--ubatch-size", "128"), notes: tuple[str, ...] = ()) -> TuningResult:
    """Return a result whose current arguments are ``--threads 2``."""
    start = ("--threads", "2")
    found = Found(
        rows=ROWS,
        start=start,
        best=(*start, *best),
        before=measured(),
        after=measured(1.25) if best else measured(),
        notes=notes,
    )
    return TuningResult(found=found, context=4096, turn=TURN, rounds=3)
