"""The JSON of a tuning. Pure."""

from typing import Any

from gglib.app.tuning.measured import Measured
from gglib.app.tuning.rows import Row
from gglib.app.tuning.tuning import TuningResult


def tuning_json(result: TuningResult, model: str, engine: str, *, is_kept: bool) -> dict[str, Any]:
    """Return the object of ``--json``; times in seconds, rates in tokens per second."""
    found = result.found
    return {
        "model": model,
        "engine": engine,
        "context": result.context,
        "prompt_tokens": result.turn.prompt_tokens,
        "tokens": result.turn.tokens,
        "rounds": result.rounds,
        "rows": [_row(row) for row in found.rows],
        "notes": list(found.notes),
        "engine_args_before": list(found.start),
        "engine_args": list(found.best),
        "turn_before_s": found.before.turn_s,
        "turn_s": found.after.turn_s,
        "is_faster": found.is_faster,
        "is_kept": is_kept,
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "step": None if row.step is None else row.step.value,
        "tried": row.label,
        "outcome": row.outcome.value,
        "note": row.note or None,
        **_measured(row.measured),
    }


def _measured(measured: Measured | None) -> dict[str, Any]:
    if measured is None:
        return dict.fromkeys(("prompt_per_s", "generated_per_s", "turn_s", "noise_s"))
    return {
        "prompt_per_s": measured.prompt_per_s,
        "generated_per_s": measured.generated_per_s,
        "turn_s": measured.turn_s,
        "noise_s": measured.noise_s,
    }
