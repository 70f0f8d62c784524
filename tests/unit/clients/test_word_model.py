"""The weights of a vocabulary: what a tiny model says, and what only a grammar makes it say."""

import pytest
from tests.clients.word_model import _weight_of

WORD = "Ġsea"


@pytest.mark.parametrize(
    ("preferred", "avoided"),
    [
        (WORD, "Ġlonger"),
        (WORD, "sea"),
        (WORD, "ĠSea"),
        (WORD, "Ġé"),
        (WORD, "{"),
        ("{", ","),
        ("</", "},"),
        (">", "><"),
        ("},", "ĠĠ"),
        ("</", "Ċ"),
        ("<|im_end|>", "</"),
        ("<|im_end|>", ","),
        ('"', ","),
    ],
)
def test_grammar_is_completed_as_shortly_as_possible(preferred: str, avoided: str) -> None:
    """Of the pieces that a grammar allows, the one that ends sooner has the higher weight."""
    assert _weight_of(preferred) > _weight_of(avoided)
