"""Prompts for what the options of a pull leave open: the quantization, and whether to download it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from gglib.cli.pull import plan_text
from gglib.cli.terminal.choices import ask_choice
from gglib.cli.views import render
from gglib.core.errors import VariantChoiceError
from gglib.core.hub.quantizations import folded

if TYPE_CHECKING:
    from gglib.library.pull.plan import PullPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class PullPrompts:
    """Prompts for what the options leave open."""

    assume_yes: bool
    wants_projector: bool | None
    is_non_interactive: bool = False
    """Whether the output is for a program: there are no prompts."""

    def confirmed(
        self, plan: "PullPlan", replan: Callable[[str], "PullPlan"], show: Callable[["PullPlan"], None]
    ) -> "PullPlan":
        """Return the confirmed plan, after it was shown.

        ``replan`` returns the plan for another target. Raises ``VariantChoiceError`` if a choice is needed but cannot
        be prompted for, or if the user declines.
        """
        from gglib.cli.terminal.console import is_interactive

        if not plan_text.needs_choice(plan) or self.assume_yes:
            plan = self._with_projector(plan)
            show(plan)
            return plan
        if self.is_non_interactive or not is_interactive():
            raise VariantChoiceError(plan_text.choices_text(plan))
        plan = self._with_projector(_choose(plan, replan))
        show(plan)
        if not click.confirm("Download it?", default=True):
            raise VariantChoiceError("Nothing was downloaded.")
        return plan

    def _with_projector(self, plan: "PullPlan") -> "PullPlan":
        if plan.projector is None:
            if self.wants_projector:
                raise VariantChoiceError("The repository has no projector (mmproj): omit --mmproj.")
            return plan
        wants = self.wants_projector
        if wants is None:
            wants = plan.had_projector  # unchanged by an update
        return plan if wants is not False else plan.without_projector()


def _choose(plan: "PullPlan", replan: Callable[[str], "PullPlan"]) -> "PullPlan":
    """Show all quantizations, and return the plan for the one that the user chooses."""
    render.echo(f"{plan.source.repo} has {len(plan.choices)} quantizations:")
    render.show_table(plan_text.CHOICE_COLUMNS, plan_text.choice_rows(plan), wrapped=("QUANT",))
    labels = [variant.label for variant, _ in plan.choices]
    index = ask_choice(labels, default=plan_text.planned_index(plan), fold=folded)
    chosen = plan_text.choice_target(plan, index)
    return plan if chosen == plan.asked else replan(chosen)
