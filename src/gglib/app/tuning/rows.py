"""A row of the result of a tuning: what was tried, and what came of it. Values only."""

from dataclasses import dataclass
from enum import Enum

from gglib.app.tuning.measured import Measured
from gglib.runtime.engines.llama_cpp.tuning.steps import StepKind


class Outcome(Enum):
    """What came of a candidate, compared with the best arguments before its step."""

    CURRENT = "current"
    """Not a candidate: the current settings."""
    TAKEN = "taken"
    """The fastest of its step, and the base of the next one."""
    FASTER = "faster"
    """Clearly faster, but not the fastest of its step, or not allowed."""
    UNCLEAR = "no clear gain"
    """Faster by less than the noise, by too little, or not when measured once more."""
    SLOWER = "slower"
    AGAIN = "measured once more"
    """Not a candidate: the confirmation at the end."""
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One try."""

    step: StepKind | None
    """None: the current settings, or the confirmation."""
    label: str
    """The change of the arguments."""
    outcome: Outcome
    measured: Measured | None = None
    """None if it was skipped or failed."""
    note: str = ""
    """Why it was skipped or failed, or what to know about it; a clause."""
