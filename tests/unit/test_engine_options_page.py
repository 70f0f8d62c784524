"""``docs/engine-options.md`` is the table of engine options (``make engine-options``), and each option has a trial."""

import subprocess
import sys
from pathlib import Path

from scripts.engine_options_table import options_tables
from scripts.try_engine_options.effects import NOTHING, Observation, effect
from scripts.try_engine_options.page import page
from scripts.try_engine_options.trials import trials

from gglib.runtime.engines.llama_cpp.options import ENGINE_OPTIONS, parse_engine_args

ROOT = Path(__file__).parents[2]
RESULTS = (ROOT / "bench" / "results" / "engine-options.md").read_text()


def test_tables_are_up_to_date() -> None:
    """A new option is written again."""
    command = [sys.executable, "-m", "scripts.engine_options_table", "--check"]
    done = subprocess.run(command, cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 0, "run 'make engine-options'"


def test_every_option_has_a_row() -> None:
    """With all of its names."""
    rows = options_tables()
    assert all(
        f"`{name}`" in rows for option in ENGINE_OPTIONS for name in (*option.names, *option.off_names)
    )


def test_every_option_is_tried_with_valid_arguments() -> None:
    """And the page of results has what came of it."""
    tried = list(trials())
    assert {trial.option.name for trial in tried} == {option.name for option in ENGINE_OPTIONS}
    for trial in tried:
        words = [word.replace("{rpc}", "box:1") for word in trial.arguments]
        assert next(option.name for option, _ in parse_engine_args(words)) == trial.option.name
        assert f"| `{trial.shown.replace('|', chr(92) + '|')}` |" in RESULTS
    assert "FAILED" not in RESULTS


BEFORE = Observation(
    props={"a": {"temperature": 0.8}}, timings={}, log=("0.01.2 I x: size = 4 MiB",), answer="x"
)


def test_an_effect_is_what_differs() -> None:
    """Settings first, then drafts and the answer; without them, the line with most words of the arguments."""
    warm = Observation(
        props={"a": {"temperature": 0.3}}, timings={"draft_n": 3, "draft_n_accepted": 2}, answer="y"
    )
    assert effect(warm, [BEFORE], ("--temp", "0.3")) == (
        "`temperature` 0.8 → 0.3; 3 tokens drafted, 2 accepted; the answer differs"
    )
    logged = Observation(
        props=BEFORE.props,
        timings={},
        answer="x",
        log=("0.02.2 I x: size = 4 MiB", "0.3 I y: b", "0.4 I K (q8_0)"),
    )
    assert effect(logged, [BEFORE], ("--cache-type-k", "q8_0")) == "log: `K (q8_0)`"
    assert effect(BEFORE, [BEFORE], ("--poll", "0")) == NOTHING
    assert effect(Observation(error="exit 1", props={}, timings={}), [BEFORE], ()) == "FAILED: exit 1"


def test_the_page_has_a_column_for_each_engine() -> None:
    """An option that an engine lacks is marked."""
    rows = [
        {"arguments": "--a", "effect": NOTHING},
        {"arguments": "--b x|y", "effect": "refused when set: no"},
    ]
    text = page([{"engine": "one", "rows": rows}, {"engine": "two", "rows": rows[:1]}])
    assert "| Arguments | one | two |" in text
    assert "| `--a` | *accepted* | *accepted* |" in text
    assert "| `--b x\\|y` | *not there* |  |" in text
