"""The end of the sentence about a name that no request has."""

import pytest

from gglib.cli.history.unknown_names import ending


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], "."),
        (["alice", "bob"], ": did you mean alice?"),
        (["bob", "carl"], "; there are some with bob, carl."),
        ([f"key-{number}" for number in range(12)], "; there are some with key-0, "),
        ([f"key-{number}" for number in range(13)], "."),
    ],
)
def test_similar_names_are_suggested_and_few_are_listed(known: list[str], expected: str) -> None:
    """A long list would hide the sentence."""
    text = ending("alcie", known)
    assert text.startswith(expected)
    assert len(text) < 140
