"""The text of the measured prompts."""

import pytest

from gglib.runtime.engines.llama_cpp.tuning.sample_text import SAMPLE_TEXT, prompt_of


def test_a_prompt_has_exactly_the_wanted_tokens() -> None:
    """The text is repeated or cut."""
    assert prompt_of([1, 2, 3], 7) == [1, 2, 3, 1, 2, 3, 1]
    assert prompt_of([1, 2, 3], 2) == [1, 2]
    with pytest.raises(ValueError, match="no tokens"):
        prompt_of([], 2)
    assert SAMPLE_TEXT.endswith(". ")
