"""The order in which quantizations are preferred if the user names none. Pure."""

from gglib.core.hub.quantizations import folded

_PREFERRED = (
    *("Q4_K_M", "Q4_K_XL", "Q4_K_L", "MXFP4", "Q5_K_M", "Q4_K_S", "Q5_K_S"),
    *(
        "Q5_K_XL",
        "Q5_K_L",
        "IQ4_NL",
        "IQ4_XS",
        "Q4_K",
        "Q4",
        "Q5_K",
        "Q5",
        "Q4_1",
        "Q4_0",
        "NVFP4",
        "Q5_1",
        "Q5_0",
    ),
    *(
        "Q6_K",
        "Q6_K_L",
        "Q6_K_XL",
        "Q6",
        "Q8_0",
        "Q8",
        "Q8_K_XL",
        "Q3_K_XL",
        "Q3_K_L",
        "Q3_K_M",
        "IQ3_M",
        "Q3_K",
    ),
)
_FALLBACK = (
    *("BF16", "F16", "IQ3_S", "Q3_K_S", "IQ3_XS", "IQ3_XXS", "Q2_K_XL", "Q2_K_L", "Q2_K", "IQ2_M", "Q2_K_S"),
    *("F32", "IQ2_S", "IQ2_XS", "IQ2_XXS", "TQ2_0", "TQ1_0", "IQ1_M", "IQ1_S"),
)

PREFERRED: tuple[str, ...] = tuple(map(folded, _PREFERRED))
"""Folded labels of the usual choices, in order of preference.

``Q4_K_M`` comes first, as in llama.cpp and Ollama: 4.9 bits per weight, the last step before quality drops quickly
(perplexity of Llama-3-8B rises by 0.18; 0.06 for ``Q5_K_M``, 0.27 for ``Q4_K_S``, 0.66 for ``Q3_K_M``, 3.5 for
``Q2_K``: llama.cpp, ``tools/quantize/quantize.cpp``). Then the nearest ones, slightly better before slightly worse, and
smaller ones down to three bits.
"""
FALLBACK: tuple[str, ...] = tuple(map(folded, _FALLBACK))
"""Used if no preferred one fits: at least twice as large without noticeable gain, or small with noticeable loss."""
