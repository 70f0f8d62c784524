"""The values of words for the engine; ``tests/integration/cli/test_engine_words.py`` has what the words do."""

from gglib.cli.models.engine_words import KV_TYPES
from gglib.runtime.engines.llama_cpp.options.cache import CACHE_TYPES


def test_the_types_of_the_cache_are_those_of_the_table() -> None:
    """The command does not import the table to be parsed, so it has a copy."""
    assert set(KV_TYPES) == set(CACHE_TYPES)
    assert len(KV_TYPES) == len(CACHE_TYPES)
