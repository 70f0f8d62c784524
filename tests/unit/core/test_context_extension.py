"""How far engine arguments extend a context."""

import pytest

from gglib.core.context_extension import context_factor, extended_context, original_context


@pytest.mark.parametrize(
    ("arguments", "context"),
    [
        ("", 2048),
        ("--rope-scaling yarn --rope-scale 4", 8192),
        ("--rope-scale=2.5", 5120),
        ("--rope-freq-scale 0.25", 8192),
        ("--rope-freq-scale 0.5 --rope-scale 4", 8192),
        ("--rope-scaling none --rope-scale 4", 2048),
        ("--rope-scaling yarn", 2048),
        ("--rope-scaling yarn --rope-scale 4 --yarn-orig-ctx 4096", 16384),
        ("--rope-scaling yarn --rope-scale 4 --yarn-orig-ctx 128", 2048),
        ("--rope-scale 0.5", 2048),
        ("--rope-scale 0", 2048),
        ("--rope-scale x", 2048),
        ("--rope-scale inf", 2048),
        ("--rope-scale 9999", 2048),
        ("--rope-freq-scale 0", 2048),
        ("--rope-scale", 2048),
        ("--temp 4", 2048),
    ],
)
def test_extended_context(arguments: str, context: int) -> None:
    """The trained or the stated context, times the scale; mistakes extend nothing."""
    assert extended_context(2048, arguments.split()) == context


def test_an_unknown_trained_context_stays_unknown() -> None:
    """Unless YaRN's original context is stated."""
    yarn = ("--rope-scaling", "yarn", "--rope-scale", "4")
    assert extended_context(None, yarn) is None
    assert extended_context(None, (*yarn, "--yarn-orig-ctx", "100")) == 400
    assert (context_factor(yarn), original_context(yarn)) == (4, None)
    assert original_context(("--yarn-orig-ctx", "0")) is None
