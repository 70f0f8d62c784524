"""Which models the patterns of a key allow."""

import pytest

from gglib.core.models import ModelSummary
from gglib.proxy.access.model_filter import ModelFilter

QWEN = ModelSummary(id=1, name="Org/Qwen3-4B:Q4_K_M", aliases=("chat", "Caf\u00e9"))


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "Org/Qwen3-4B:Q4_K_M",
        "org/qwen*",
        "ORG/*",
        "*q4_k_m",
        "chat",
        "CHAT",
        "ch?t",
        "[cx]hat",
        "CAFE\u0301",
        "*/*",
    ],
)
def test_pattern_matches_a_whole_name_ignoring_case(pattern: str) -> None:
    """Name or alias, in any case and Unicode form; a star also matches slashes and colons."""
    assert ModelFilter([pattern]).allows(QWEN)
    assert ModelFilter(["other", pattern]).allows(QWEN)


@pytest.mark.parametrize(
    "pattern", ["", "Qwen*", "hat", "cha", "chat?", "[!c]hat", "chat|x", "chat.*", "1", "chat\n"]
)
def test_other_patterns_do_not_match(pattern: str) -> None:
    """A part of a name is not enough, the number of a model is not a name, and regular expressions mean nothing."""
    assert not ModelFilter([pattern]).allows(QWEN)


def test_without_patterns_no_model_is_allowed() -> None:
    """No rights are the rights of a request without a key."""
    assert not ModelFilter(()).allows(QWEN)
