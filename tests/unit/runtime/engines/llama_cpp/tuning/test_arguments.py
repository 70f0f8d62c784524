"""Changes of engine arguments."""

import pytest

from gglib.core.errors import EngineArgumentError
from gglib.runtime.engines.llama_cpp.tuning.arguments import (
    ArgumentChange,
    changed_arguments,
    option_values,
)

THREADS = ArgumentChange(values=(("--threads", "4"),))


def test_an_option_is_added_at_the_end() -> None:
    """The others keep their order."""
    assert changed_arguments(("--top-k", "5"), THREADS) == ("--top-k", "5", "--threads", "4")


@pytest.mark.parametrize("spelling", [("--threads", "8"), ("-t", "8"), ("--threads=8",), ("-t=8",)])
def test_an_option_is_replaced_in_each_spelling(spelling: tuple[str, ...]) -> None:
    """Otherwise it would be there twice."""
    assert changed_arguments((*spelling, "--swa-full"), THREADS) == ("--swa-full", "--threads", "4")


def test_all_repetitions_of_an_option_leave() -> None:
    """llama.cpp uses the last one."""
    assert changed_arguments(("-t", "1", "--threads", "2"), THREADS) == ("--threads", "4")


def test_removed_options_leave_with_their_values() -> None:
    """A switch has none."""
    change = ArgumentChange(removed=("--threads", "--swa-full"))
    assert changed_arguments(("-t", "1", "--swa-full", "--seed", "-1"), change) == ("--seed", "-1")
    assert change.label == "without --threads --swa-full"


def test_a_change_sets_and_removes_at_once() -> None:
    """A value of None stands for a switch."""
    change = ArgumentChange(values=(("--cpu-moe", None),), removed=("--n-cpu-moe",))
    assert changed_arguments(("-ncmoe", "3"), change) == ("--cpu-moe",)
    assert change.label == "--cpu-moe"


def test_switches_off_and_ranges_keep_their_form() -> None:
    """A negated switch is one word, and a range has two values."""
    kept = ("--no-warmup", "--control-vector-layer-range", "1", "2")
    assert changed_arguments(kept, THREADS) == (*kept, "--threads", "4")


def test_the_last_value_of_an_option_counts() -> None:
    """By its long name."""
    assert option_values(("-t", "1", "--threads=2", "--swa-full")) == {"--threads": "2", "--swa-full": None}


def test_invalid_arguments_are_reported() -> None:
    """A catalogue may have an argument of a newer gglib."""
    with pytest.raises(EngineArgumentError):
        changed_arguments(("--warp",), THREADS)
