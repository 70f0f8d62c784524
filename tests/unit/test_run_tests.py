"""The parts of ``make test``: every test file is in one, and a failed or empty part fails the run."""

from pathlib import Path

import pytest
from scripts import run_tests
from scripts.run_tests import (
    NOTHING_COLLECTED,
    PARTS,
    ROOT,
    Outcome,
    Part,
    counts_of,
    exit_code_of,
    failures_of,
)

PART = Part("some", ("tests/some",), 10)
REPORT = '<testsuites><testsuite tests="7" failures="1" errors="1" skipped="2"/><testsuite tests="3"/></testsuites>'


def parts_with(file: Path) -> list[str]:
    """Return the names of the parts that run a test file, except the serial one and that of the second engine."""
    return [
        part.name
        for part in PARTS
        if not (part.is_quiet or part.options)
        and any(file.is_relative_to(ROOT / path) for path in part.paths)
        and not any(file.is_relative_to(ROOT / path) for path in part.ignored)
    ]


def test_every_test_file_is_in_one_part() -> None:
    """A new folder of tests that no part names would never run."""
    files = list((ROOT / "tests").rglob("test_*.py"))
    assert len(files) > 100
    assert {file: len(parts_with(file)) for file in files} == dict.fromkeys(files, 1)


@pytest.mark.parametrize(
    ("codes", "is_selection", "expected"),
    [
        ([0, 0], False, 0),
        ([0, 1], False, 1),
        ([0, NOTHING_COLLECTED], False, 1),
        ([0, NOTHING_COLLECTED], True, 0),
        ([NOTHING_COLLECTED, NOTHING_COLLECTED], True, 1),
        ([0, 3], True, 1),
        ([0, -9], False, 1),
        ([], False, 1),
    ],
)
def test_failed_or_empty_part_is_no_success(codes: list[int], expected: int, *, is_selection: bool) -> None:
    """If arguments select tests, some parts may be empty, but not all."""
    outcomes = [Outcome(PART, code, 1.0) for code in codes]
    assert exit_code_of(outcomes, is_selection=is_selection) == expected


def test_counts_are_read_from_the_report(tmp_path: Path) -> None:
    """Errors count as failures; a run that ended without a report passed nothing."""
    report = tmp_path / "report.xml"
    assert counts_of(report) == (0, 0, 0)
    report.write_text(REPORT)
    assert counts_of(report) == (6, 2, 2)


def test_failed_tests_are_named_with_the_first_line_of_the_reason(tmp_path: Path) -> None:
    """An error of a fixture counts too; a passed or skipped test and a missing report give no line."""
    report = tmp_path / "report.xml"
    assert failures_of(report) == ()
    report.write_text(
        '<testsuites><testsuite><testcase classname="tests.a" name="one"/>'
        '<testcase classname="tests.a" name="two[x]"><failure message="assert 1 == 2&#10;more"/></testcase>'
        '<testcase classname="tests.a" name="three"><skipped message="no"/></testcase>'
        '<testcase classname="tests.b" name="four"><error message=""/></testcase></testsuite></testsuites>'
    )
    assert failures_of(report) == ("failed: tests.a::two[x]: assert 1 == 2", "failed: tests.b::four: error")


@pytest.mark.parametrize(
    ("profile", "arguments", "is_measured"),
    [("ci", [], True), ("dev", [], False), ("ci", ["-k", "x"], False)],
)
def test_only_a_whole_run_measures_coverage(
    tmp_path: Path, profile: str, arguments: list[str], *, is_measured: bool
) -> None:
    """A selection of tests says nothing of coverage, and ``make check`` has to be quick."""
    unit = next(part for part in PARTS if part.name == "unit")
    assert ("--cov=gglib" in unit.command(tmp_path, profile, arguments)) is is_measured


def test_quiet_part_collects_the_files_with_quiet_tests_alone(tmp_path: Path) -> None:
    """Each file that uses the mark, and no other."""
    mark = "@pytest." + run_tests.QUIET_MARK  # in two pieces: this file has no quiet test
    marked = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "tests").rglob("test_*.py")
        if mark in file.read_text()
    }
    quiet = next(part for part in PARTS if part.is_quiet)
    command = quiet.command(tmp_path, "ci", ["-k", "x"])
    assert len(marked) > 1
    assert {word for word in command if word.startswith("tests/")} == marked


def test_line_has_time_budget_and_warnings() -> None:
    """The line shows the part's time, its budget, and what needs a review."""
    assert str(Outcome(PART, 0, 7.4, passed=6)) == "some: 6 passed in 7 s (budget 10 s)"
    late = str(Outcome(PART, 1, 12.0, passed=6, failed=2, skipped=1))
    assert late == "some: 6 passed, 2 failed, 1 skipped in 12 s (over its budget of 10 s)"
    assert "exit code 3" in str(Outcome(PART, 3, 1.0))
    assert "6 passed, below the coverage gate in" in str(Outcome(PART, 1, 1.0, passed=6))


def test_part_whose_program_is_missing_is_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other parts run; a run of nothing is no success."""
    missing = Part("browser", ("tests/some",), 10, programs=("no-such-browser", "nor-this"))
    shell = Part("shell", ("tests/some",), 10, programs=("no-such-shell", "sh"))
    monkeypatch.setattr(run_tests, "PARTS", (PART, missing, shell))
    monkeypatch.setattr(run_tests, "run_part", lambda part, *_: Outcome(part, 0, 1.0, passed=1))
    monkeypatch.setattr("compileall.compile_dir", lambda *_, **__: True)
    assert run_tests.main([]) == 0
    summary = capsys.readouterr().out.partition("== all\n")[2].splitlines()
    assert [line.partition(":")[0] for line in summary] == ["some", "shell", "browser", "total"]
    assert summary[2] == "browser: left out, not installed: no-such-browser"
    assert run_tests.main(["--part", "browser"]) == 1


def test_failed_tests_are_among_the_last_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a long log the beginning may be cut: the name must not be there alone."""
    failed = Outcome(PART, 1, 1.0, 5, 1, failures=("failed: tests.a::two: assert 1 == 2",))
    monkeypatch.setattr(run_tests, "PARTS", (PART, PART))
    monkeypatch.setattr(run_tests, "run_part", lambda *_: failed)
    monkeypatch.setattr("compileall.compile_dir", lambda *_, **__: True)
    assert run_tests.main([]) == 1
    assert capsys.readouterr().out.splitlines()[-3:-1] == [*failed.failures * 2]
