"""The text of the measured prompts, of any length in tokens. Pure.

Plain prose, because the experts of a mixture of experts, and what a draft model guesses, depend on the text.
"""

from collections.abc import Sequence

SAMPLE_TEXT = (
    "A small harbour town keeps a daily record of its weather. In the morning the keeper of the lighthouse writes "
    "down the temperature, the height of the water and the direction of the wind, and in the evening the school "
    "compares the page with the forecast of the day before. Most days agree. When they do not, the children ask the "
    "fishermen what they saw: whether the gulls stayed on land, how the clouds moved over the hills, and which boats "
    "turned back early. After forty years the books fill two shelves of the library, and a baker, a doctor and an "
    "engineer from the capital have each found something in them that the others had overlooked. "
)
"""About 130 tokens for common vocabularies."""


def prompt_of(tokens: Sequence[int], count: int) -> list[int]:
    """Return a prompt of exactly ``count`` tokens: the tokens of a text, repeated. Raises ValueError without tokens."""
    if not tokens:
        raise ValueError("the text has no tokens")
    repeats = -(-count // len(tokens))
    return (list(tokens) * repeats)[:count]
