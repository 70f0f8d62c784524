"""Results of clients: what a program wrote, what it did not write, and the page."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.clients.outcomes import Outcome, Row, exit_code, page, read_outcomes, remaining, summary

CASES = ("plain", "stream", "tools")


def line(case: str, result: str = "ok", detail: str = "", seconds: float = 1.0) -> str:
    """Return one line of a program's results."""
    return json.dumps({"case": case, "result": result, "detail": detail, "seconds": seconds})


def row(name: str, *outcomes: Outcome, reason: str = "") -> Row:
    """Return a row of version 1."""
    return Row(client=name, dialect="chat", version="1", outcomes=outcomes, reason=reason)


OK = Outcome(case="plain", result="ok", seconds=1.5)
FAILED = Outcome(case="stream", result="failed", detail="Error: `no`\n| chunks", seconds=2.0)
ABSENT = Outcome(case="tools", result="n.a.", detail="has none")


def test_outcomes_are_read_in_the_order_of_the_cases() -> None:
    """Whatever the order of the lines."""
    text = "\n".join([line("tools", "n.a.", "has none"), line("plain"), line("stream", "failed", "no")])
    outcomes = read_outcomes(text, CASES, ending="exit code 0")
    assert [(o.case, o.result, o.detail) for o in outcomes] == [
        ("plain", "ok", ""),
        ("stream", "failed", "no"),
        ("tools", "n.a.", "has none"),
    ]


def test_case_without_a_result_failed() -> None:
    """A program that crashes passes nothing; how it ended is the detail."""
    outcomes = read_outcomes(line("plain"), CASES, ending="exit code -11")
    assert [outcome.result for outcome in outcomes] == ["ok", "failed", "failed"]
    assert outcomes[1].detail == "exit code -11"
    assert remaining(line("plain"), CASES) == ["stream", "tools"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", '{"case": "plain"}', line("plain", "great"), line("other")]
)
def test_line_that_is_no_result_is_none(text: str) -> None:
    """A program may be killed while it writes."""
    assert [o.result for o in read_outcomes(text, ("plain",), ending="")] == ["failed"]
    assert remaining(text, ("plain",)) == ["plain"]


def test_case_without_a_result_did_not_run_if_the_time_was_over() -> None:
    """The limit of the whole run is no fault of gglib."""
    outcomes = read_outcomes(line("plain", "failed", "no"), CASES, ending="ended", is_over=True)
    assert [outcome.result for outcome in outcomes] == ["failed", "not run", "not run"]
    assert exit_code([row("a", *outcomes[1:])]) == 0
    assert exit_code([row("a", *outcomes)]) == 1


@given(st.integers(0, 200))
def test_torn_results_never_invent_a_success(cut: int) -> None:
    """Cut anywhere, a result is there as it was written, or it is not there."""
    text = "\n".join([line("plain"), line("stream", "failed", "é"), line("tools")])[:cut]
    results = {outcome.case: outcome.result for outcome in read_outcomes(text, CASES, ending="")}
    assert results["stream"] == "failed"
    done = set(CASES) - set(remaining(text, CASES))
    assert done == set(CASES[: len(done)])


def test_only_failed_cases_fail_the_run() -> None:
    """A client that cannot be installed is no fault of gglib."""
    assert exit_code([row("a", OK, ABSENT), row("b", reason="not installed: no registry")]) == 0
    assert exit_code([row("a", OK), row("b", OK, FAILED)]) == 1
    assert exit_code([]) == 0


def test_summary_counts_cases_and_clients_that_did_not_run() -> None:
    """The last line has the form that test runners print."""
    rows = [row("a", OK, FAILED, ABSENT), row("b", reason="not installed: x")]
    idle, counts = summary(rows).splitlines()
    assert idle.startswith("1 of 2 clients did not run")
    assert counts == summary(rows[:1]) == "clients: 1 passed, 1 failed, 1 skipped"


def test_page_has_a_row_for_each_client_and_says_what_failed() -> None:
    """A row that did not run has no times, and its reason below."""
    rows = [row("a", OK, FAILED, ABSENT), row("b", reason="not installed: no\nversion")]
    text = page(rows, date="2026-01-02", cases=(*CASES, "late_load"), facts="here")
    assert "on 2026-01-02 (here)" in text
    assert "| Client | Version | API | plain | stream | tools | late load | Seconds |" in text
    assert "| a | 1 | chat | ok | failed | n.a. |  | 4 |" in text
    assert "| b | 1 | chat | not run | not run | not run | not run |  |" in text
    assert "- a, stream failed: `Error: 'no' | chunks`" in text
    assert "- a, tools not applicable: `has none`" in text
    assert "- b: `not installed: no version`" in text


def test_table_has_as_many_cells_in_every_line() -> None:
    """A cell with a bar would be two."""
    table = [
        text
        for text in page([row("a", OK)], date="", cases=CASES, facts="").splitlines()
        if text.startswith("|")
    ]
    assert {text.count("|") for text in table} == {8}


def test_page_without_failures_ends_with_the_table() -> None:
    """And one line end."""
    text = page([row("a", OK)], date="", cases=CASES, facts="")
    assert text.endswith("|\n")
    assert not text.endswith("\n\n")
