"""Answers to a prompt for a row of a numbered table."""

import click
import pytest

from gglib.cli.terminal.choices import parse_choice


@pytest.mark.parametrize(("text", "index"), [("1", 0), (" 2 ", 1), ("OLD", 1), ("7", 2)])
def test_answer_is_a_number_or_a_name(text: str, index: int) -> None:
    """Names ignore case and precede numbers: a name may be a number."""
    assert parse_choice(text, ["used", "old", "7"], numbers=[1, 2, 3]) == index


@pytest.mark.parametrize("text", ["0", "3", "", "x", "-1", "²", "9" * 9999])
def test_other_answers_are_prompted_for_again(text: str) -> None:
    """With what can be typed."""
    with pytest.raises(click.BadParameter, match="type the number of a row, or a name"):
        parse_choice(text, ["used", "old"], numbers=[1, 2])


def test_numbers_may_be_those_of_another_list() -> None:
    """In whatever order; another number is refused."""
    assert parse_choice("7", ["a", "b"], numbers=[12, 7]) == 1
    assert parse_choice("012", ["a", "b"], numbers=[12, 7]) == 0
    with pytest.raises(click.BadParameter):
        parse_choice("1", ["a", "b"], numbers=[12, 7])
