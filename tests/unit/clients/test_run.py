"""Runs programs of clients: those that end early, that hang, and that change nothing of this process."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.clients import run
from tests.clients.__main__ import chosen, parse, with_second_try
from tests.clients.environments import Environment, Made
from tests.clients.outcomes import Outcome, Row
from tests.clients.run import Runner
from tests.clients.server import Served
from tests.clients.table import CLIENTS, Client

READY = Made("some", 0.0)
CASES = ("plain", "stream", "tools")
WRITE = """
import json, os, sys, time
def write(case, **fields):
    with open(os.environ["RESULTS"], "a") as file:
        file.write(json.dumps({"case": case, "result": "ok", "detail": "", "seconds": 0.1, **fields}) + "\\n")
cases = os.environ["CASES"].split(",")
"""


class Scripted(Runner):
    """A runner whose programs are given sources, and which serves nothing."""

    __slots__ = ()

    def command(self, client: Client, environment: Environment) -> list[str]:
        """Run the source that the row names as its program."""
        del environment
        return [sys.executable, "-c", WRITE + client.program]

    @contextmanager
    def serving_models(self) -> Iterator[Served]:
        """Yield an address that no program uses."""
        yield Served(self.work, "http://127.0.0.1:9", os.getpid())


@pytest.fixture
def row_of(tmp_path: Path) -> Callable[..., Row]:
    """Return a function that runs a source as the program of a client."""

    def row_of(
        source: str,
        *,
        made: Made = READY,
        cases: Sequence[str] = CASES,
        in_s: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        **changes: object,
    ) -> Row:
        client = replace(CLIENTS[0], name="some", program=source, cases=CASES)
        client = replace(client, **changes)  # type: ignore[arg-type]
        runner = Scripted(tmp_path, tmp_path, clock() + in_s, clock=clock)
        (row,) = runner.run_all([client], cases, {client.environment: made})
        return row

    return row_of


def results(row: Row) -> list[str]:
    """Return the results of a row."""
    return [outcome.result for outcome in row.outcomes]


def test_program_writes_a_result_for_each_case(row_of: Callable[..., Row]) -> None:
    """In its own words where something failed."""
    row = row_of('for c in cases: write(c)\nwrite("tools", result="failed", detail="no call")')
    assert results(row) == ["ok", "ok", "failed"]
    assert row.failures[0].detail == "no call"
    assert not row.reason


def test_program_that_ends_in_a_case_is_run_again_with_the_others(row_of: Callable[..., Row]) -> None:
    """A case that hangs is ended by the program itself."""
    row = row_of('write(cases[0], result="failed" if cases[0] == "stream" else "ok")\nos._exit(3)')
    assert results(row) == ["ok", "failed", "ok"]


def test_program_that_writes_nothing_failed(row_of: Callable[..., Row]) -> None:
    """It is not run for ever; the last line of its output says why."""
    row = row_of('print("one", flush=True)\nsys.exit("no such module")')
    assert results(row) == ["failed"] * 3
    assert row.failures[0].detail == "exit code 1: no such module"


def test_time_limit_of_the_run_ends_a_program_and_fails_nothing(row_of: Callable[..., Row]) -> None:
    """Its cases are not run."""
    row = row_of("time.sleep(60)", in_s=1.0)
    assert results(row) == ["not run"] * 3


def test_what_was_done_before_the_time_limit_counts(row_of: Callable[..., Row], tmp_path: Path) -> None:
    """The program is not run again after it."""

    def clock() -> float:
        return 100.0 if any(file.stat().st_size for file in tmp_path.glob("*.jsonl")) else 0.0

    row = row_of('write(cases[0], result="failed", detail="no")\nos._exit(3)', in_s=50.0, clock=clock)
    assert results(row) == ["failed", "not run", "not run"]


def test_time_limit_of_a_program_fails_its_case(
    row_of: Callable[..., Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program whose own watch does not work is ended from outside."""
    monkeypatch.setattr(run, "START_S", 1.0)
    monkeypatch.setattr(run, "CASE_S", 0.1)
    row = row_of("time.sleep(60)")
    assert results(row) == ["failed"] * 3
    assert "time limit" in row.failures[0].detail


def test_client_without_environment_is_not_run(row_of: Callable[..., Row]) -> None:
    """The row has the reason."""
    row = row_of("", made=Made("some", 1.0, "no such version"))
    assert (row.reason, row.outcomes) == ("not installed: no such version", ())
    assert row_of("", in_s=-1.0).reason == "not run: no time was left"


def test_only_the_wanted_cases_are_run(row_of: Callable[..., Row]) -> None:
    """In the order of the table; those that the client cannot do have their reason."""
    row = row_of("for c in cases: write(c)", cases=("tools", "plain"), not_applicable={"tools": "has none"})
    assert [(o.case, o.result, o.detail) for o in row.outcomes] == [
        ("tools", "n.a.", "has none"),
        ("plain", "ok", ""),
    ]


def test_settings_of_this_process_do_not_reach_the_program(
    row_of: Callable[..., Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key or an address in the environment would make it another test."""
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "OLLAMA_HOST", "GGLIB_HOME", "PYTHONPATH"):
        monkeypatch.setenv(name, "x")
    names = "[n for n, v in os.environ.items() if v == 'x']"
    row = row_of(f"write('plain', detail=json.dumps({names}))", cases=("plain",))
    assert json.loads(row.outcomes[0].detail) == []


@pytest.mark.parametrize(
    ("names", "apis", "found"),
    [
        ((), (), len(CLIENTS)),
        (("openai-python",), (), 2),
        (("openai-python", "codex"), ("responses",), 2),
        ((), ("ollama",), len([client for client in CLIENTS if client.dialect == "ollama"])),
        (("none",), (), 0),
    ],
)
def test_clients_are_chosen_by_name_and_api(
    names: tuple[str, ...], apis: tuple[str, ...], found: int
) -> None:
    """A name may be a beginning: one client has several rows."""
    assert len(chosen(names, apis)) == found


@pytest.mark.parametrize("arguments", [["--only", "nothing"], ["--cases", "plan"], ["--unknown"]])
def test_wrong_arguments_run_nothing(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An empty run would look like a success."""
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_arguments_have_defaults() -> None:
    """Everything, within an hour."""
    options = parse([])
    assert (options.only, options.limit_min, options.write) == ((), 60.0, None)
    assert parse(["--cases", "plain,died"]).cases == ("plain", "died")


def test_clients_with_failures_run_once_more(capsys: pytest.CaptureFixture[str]) -> None:
    """The second row counts, whatever it is; the others keep theirs, and nothing runs without a failure."""
    passed, failed, other = CLIENTS[:3]

    def row(client: Client, result: str) -> Row:
        outcome = Outcome(case="plain", result=result, detail="")  # type: ignore[arg-type]
        return Row(client=client.name, dialect=client.dialect, version="1", outcomes=(outcome,), reason="")

    first = [row(passed, "ok"), row(failed, "failed"), row(other, "failed")]
    second = {failed.name: row(failed, "ok"), other.name: row(other, "failed")}
    asked: list[list[str]] = []

    def run(clients: Sequence[Client]) -> list[Row]:
        asked.append([client.name for client in clients])
        return [second[client.name] for client in clients]

    rows = with_second_try(first, CLIENTS[:3], run)
    assert rows == [first[0], second[failed.name], second[other.name]]
    assert asked == [[failed.name, other.name]]
    assert "second try" in capsys.readouterr().out
    assert with_second_try(first[:1], CLIENTS[:1], run) == first[:1]
    assert len(asked) == 1
