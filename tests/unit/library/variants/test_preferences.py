"""Which quantizations are wanted first."""

from gglib.core.hub.quantizations import folded, without_dynamic
from gglib.library.variants.preferences import FALLBACK, PREFERRED


def test_labels_that_differ_stay_apart() -> None:
    """Whole ladders have no two labels that are one."""
    assert len({*PREFERRED, *FALLBACK}) == len(PREFERRED) + len(FALLBACK)
    assert folded("UD-Q4_K_XL") != folded("Q4_K_XL") == without_dynamic(folded("UD-Q4_K_XL"))


def test_q4_k_m_is_wanted_first() -> None:
    """As llama.cpp and Ollama have it."""
    assert PREFERRED[0] == folded("Q4_K_M")
