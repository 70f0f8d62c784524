"""The table of a tuning, and the sentences below it. Pure."""

import shlex
from collections.abc import Iterator, Sequence

from gglib.app.tuning.measured import gain
from gglib.app.tuning.rows import Outcome, Row
from gglib.app.tuning.tuning import TuningResult
from gglib.cli.views import measures
from gglib.core.shell_quoting import shell_command

TRIED, PROMPT, GENERATED, TURN, NOISE, RESULT = "TRIED", "PROMPT/s", "GENERATED/s", "TURN", "NOISE", "RESULT"
COLUMNS = (TRIED, PROMPT, GENERATED, TURN, NOISE, RESULT)
WRAPPED_COLUMNS = (TRIED, RESULT)
DROPPABLE_COLUMNS = (NOISE, PROMPT, GENERATED)
RESULT_STYLES = {
    RESULT: {
        Outcome.CURRENT.value: "bold",
        Outcome.TAKEN.value: "green",
        Outcome.SLOWER.value: "dim",
        Outcome.SKIPPED.value: "dim",
        Outcome.FAILED.value: "red",
    }
}
NOT_FASTER = "Nothing is clearly faster than the current settings, so they stay."


def table_rows(rows: Sequence[Row]) -> list[list[str]]:
    """Return the cells of the table."""
    return [_cells(row) for row in rows]


def head_line(result: TuningResult, model: str, engine: str) -> str:
    """Return what was measured, in one sentence."""
    turn = result.turn
    return (
        f"'{model}' with a context of {result.context} tokens, {engine}: a turn has {turn.prompt_tokens} tokens of "
        f"prompt and {turn.tokens} generated ones; medians of {result.rounds} rounds."
    )


def verdict_lines(result: TuningResult, model: str, *, is_kept: bool) -> Iterator[str]:
    """Yield what came of the tuning, and the commands that undo or keep it."""
    found = result.found
    yield from found.notes
    if not found.is_faster:
        yield NOT_FASTER
        return
    yield (
        f"Faster by {_percent(gain(found.after, found.before))}: a turn takes {format_turn(found.after.turn_s)} "
        f"instead of {format_turn(found.before.turn_s)}."
    )
    if is_kept:
        yield f"Kept: {_arguments(found.best) or 'the defaults of the engine'}"
        yield f"Undo: {set_command(model, found.start)}"
    else:
        yield f"Nothing was changed. Keep it: {set_command(model, found.best)}"


def set_command(model: str, arguments: Sequence[str]) -> str:
    """Return the command that sets engine arguments."""
    return shell_command("set", "--engine-args", _arguments(arguments), model)


def _arguments(arguments: Sequence[str]) -> str:
    return shlex.join(arguments)


def _cells(row: Row) -> list[str]:
    measured = row.measured
    result = f"{row.outcome.value}, {row.note}" if row.note else row.outcome.value
    if measured is None:
        return [row.label, "-", "-", "-", "-", result]
    return [
        row.label,
        measures.rate(measured.prompt_per_s),
        measures.rate(measured.generated_per_s),
        format_turn(measured.turn_s),
        _percent(measured.noise),
        result,
    ]


def format_turn(value: float) -> str:
    """Return a time with three digits."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %" if share < 0.1 else f"{share * 100:.0f} %"
