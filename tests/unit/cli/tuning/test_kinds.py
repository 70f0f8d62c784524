"""The kinds of options of ``gglib tune``."""

from gglib.cli.commands.models.tune import KINDS
from gglib.runtime.engines.llama_cpp.tuning.steps import StepKind


def test_the_kinds_of_the_command_are_those_of_the_steps() -> None:
    """In their order; the command has a copy, so that its help is fast."""
    assert tuple(kind.value for kind in StepKind) == KINDS
