"""Which quantizations are wanted first, where none is named. Pure."""

from gglib.core.hub.quantizations import folded

_USUAL = (
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
_LAST = (
    *("BF16", "F16", "IQ3_S", "Q3_K_S", "IQ3_XS", "IQ3_XXS", "Q2_K_XL", "Q2_K_L", "Q2_K", "IQ2_M", "Q2_K_S"),
    *("F32", "IQ2_S", "IQ2_XS", "IQ2_XXS", "TQ2_0", "TQ1_0", "IQ1_M", "IQ1_S"),
)

USUAL: tuple[str, ...] = tuple(map(folded, _USUAL))
"""Folded labels that most people want, in this order.

``Q4_K_M`` first, which llama.cpp and Ollama take too: 4.9 bits a weight, and the last step before quality falls fast
(perplexity of Llama-3-8B rises by 0.18; 0.06 for ``Q5_K_M``, 0.27 for ``Q4_K_S``, 0.66 for ``Q3_K_M``, 3.5 for
``Q2_K``: llama.cpp, ``tools/quantize/quantize.cpp``). Where it is missing: what is nearest, a little better before a
little worse. Where it does not fit, what follows is smaller as far as it fits, down to three bits.
"""
LAST: tuple[str, ...] = tuple(map(folded, _LAST))
"""What is left: twice as large and more for nothing that is noticed, or so small that it is."""
