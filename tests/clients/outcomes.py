"""Results of cases, rows of clients, and their page. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Result = Literal["ok", "failed", "n.a.", "not run"]
MAX_CELL = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one case, with what was received where it failed."""

    case: str
    result: Result
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One client: its outcomes, or the reason why it did not run."""

    client: str
    dialect: str
    version: str
    outcomes: tuple[Outcome, ...] = ()
    reason: str = ""

    @property
    def failures(self) -> list[Outcome]:
        """The cases that failed."""
        return [outcome for outcome in self.outcomes if outcome.result == "failed"]

    @property
    def seconds(self) -> float:
        """The time of all cases together."""
        return sum(outcome.seconds for outcome in self.outcomes)


def read_outcomes(text: str, cases: Sequence[str], *, ending: str, is_over: bool = False) -> list[Outcome]:
    """Return one outcome for each of ``cases`` from a program's results, one JSON object a line.

    A program that ended before a case failed it, unless the time of the run ``is_over``; ``ending`` says how it ended.
    """
    found = _found(text)
    absent: Result = "not run" if is_over else "failed"
    return [found.get(case) or Outcome(case=case, result=absent, detail=ending) for case in cases]


def remaining(text: str, cases: Sequence[str]) -> list[str]:
    """Return the cases without a result: a program that one case ended is run again with the others."""
    found = _found(text)
    return [case for case in cases if case not in found]


def _found(text: str) -> dict[str, Outcome]:
    """Return the outcomes by case. Lines that are not results are skipped: a program may be killed while it writes."""
    found: dict[str, Outcome] = {}
    for line in text.splitlines():
        try:
            outcome = _outcome(json.loads(line))
        except (ValueError, KeyError, TypeError):
            continue
        found[outcome.case] = outcome
    return found


def _outcome(value: Mapping[str, object]) -> Outcome:
    result = value["result"]
    if result not in ("ok", "failed", "n.a."):
        raise ValueError(result)
    return Outcome(
        case=str(value["case"]),
        result=result,
        detail=str(value["detail"]),
        seconds=float(str(value["seconds"])),
    )


def exit_code(rows: Iterable[Row]) -> int:
    """Return 1 if a case failed. A client that could not be installed, or for which no time was left, is no failure."""
    return 1 if any(row.failures for row in rows) else 0


def summary(rows: Sequence[Row]) -> str:
    """Return how many clients did not run, if any, and a line as test runners print it: passed, failed, skipped."""
    outcomes = [outcome for row in rows for outcome in row.outcomes]
    passed = sum(outcome.result == "ok" for outcome in outcomes)
    failed = sum(outcome.result == "failed" for outcome in outcomes)
    skipped = sum(outcome.result in ("n.a.", "not run") for outcome in outcomes)
    idle = sum(bool(row.reason) for row in rows)
    notice = f"{idle} of {len(rows)} clients did not run: their reasons are above.\n" if idle else ""
    return f"{notice}clients: {passed} passed, {failed} failed, {skipped} skipped"


def page(rows: Sequence[Row], *, date: str, cases: Sequence[str], facts: str) -> str:
    """Return the page in Markdown: a table with a row for each client, and what failed."""
    lines = [
        "# Clients, tested",
        "",
        f"Real programs against a real server, run by `make test-clients` on {date} ({facts}).",
        "Judged by protocol, not by the text of the model. [How to connect them](clients.md).",
        "",
        f"| Client | Version | API | {' | '.join(case.replace('_', ' ') for case in cases)} | Seconds |",
        f"|---|---|---|{'---|' * len(cases)}---:|",
        *(_line(row, cases) for row in rows),
    ]
    notes = [_note(row) for row in rows if row.reason]
    notes += [f"- {row.client}, {_case_note(outcome)}" for row in rows for outcome in _noted(row)]
    return "\n".join([*lines, "", *notes, *([""] if notes else [])])


def _line(row: Row, cases: Sequence[str]) -> str:
    results = {outcome.case: outcome.result for outcome in row.outcomes}
    cells = ["not run" if row.reason else results.get(case, "") for case in cases]
    seconds = "" if row.reason else f"{row.seconds:.0f}"
    return f"| {row.client} | {row.version} | {row.dialect} | {' | '.join(cells)} | {seconds} |"


def _noted(row: Row) -> list[Outcome]:
    return [outcome for outcome in row.outcomes if outcome.result in ("failed", "n.a.")]


def _case_note(outcome: Outcome) -> str:
    said = "failed" if outcome.result == "failed" else "not applicable"
    return f"{outcome.case.replace('_', ' ')} {said}: {_cell(outcome.detail)}"


def _note(row: Row) -> str:
    return f"- {row.client}: {_cell(row.reason)}"


def _cell(text: str) -> str:
    """Return a text as one line that Markdown shows as it is."""
    plain = " ".join(text.split())[:MAX_CELL]
    return f"`{plain.replace('`', chr(39))}`"
