"""The engine's memory limit for cached prompts."""

import pytest

from gglib.runtime.engines.llama_cpp.prompt_cache import prompt_cache_mib

GIB = 1024**3


@pytest.mark.parametrize(
    ("total_bytes", "mib"), [(16 * GIB, 2_048), (4 * GIB, 512), (1, 0), (512 * GIB, 8_192), (None, 1_024)]
)
def test_prompt_cache_is_an_eighth_of_memory(total_bytes: int | None, mib: int) -> None:
    """At most llama-server's own default; little where the memory is not known."""
    assert prompt_cache_mib(total_bytes) == mib
