"""The order of preference of quantizations."""

from gglib.core.hub.quantizations import folded, without_dynamic
from gglib.library.variants.preferences import FALLBACK, PREFERRED


def test_distinct_labels_stay_distinct() -> None:
    """Whole ladders have no two equal labels."""
    assert len({*PREFERRED, *FALLBACK}) == len(PREFERRED) + len(FALLBACK)
    assert folded("UD-Q4_K_XL") != folded("Q4_K_XL") == without_dynamic(folded("UD-Q4_K_XL"))


def test_q4_k_m_is_first() -> None:
    """As in llama.cpp and Ollama."""
    assert PREFERRED[0] == folded("Q4_K_M")
