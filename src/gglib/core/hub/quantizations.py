"""Quantization labels: parsing them from file names and comparing them. Pure.

File names are not uniform: ``model-Q4_K_M``, ``Model.Q4_K_M``, ``Model.i1-Q4_K_M``, ``model-q4_k_m``, ``UD-Q4_K_XL``,
``model-mxfp4``, ``model-fp16``. The hub reads the last label of the name, ignoring case, with an optional ``UD-``
prefix and a size suffix (huggingface.js, ``packages/tasks/src/gguf.ts``, ``GGUF_QUANT_RE``); llama.cpp
accepts any tag followed by ``.`` or ``-`` in a name (``common/download.cpp``, ``find_best_model``).
Here a label must also be delimited by separators, so ``SEQ4_0`` has none.
"""

import re

_SIZE = r"(?:XXS|XS|S|M|L|XL|XXL)"
_LABEL = re.compile(
    rf"""
    (?<![A-Za-z0-9])
    (?P<label>
        (?:UD[-_])?                                         # unsloth's dynamic mixtures
        (?:
            I?Q[1-9][-_]K(?:[-_]{_SIZE})?                   # Q4_K_M, Q6_K, Q4_K_XL
          | IQ[1-9][-_](?:NL(?:[-_]4[-_][48])?|{_SIZE})     # IQ4_XS, IQ4_NL
          | Q4[-_]0[-_][48][-_][48]                         # once repacked for ARM
          | T?Q[1-9][-_][0-3](?:[-_]{_SIZE})?               # Q8_0, Q4_1, TQ2_0, Q8_0_L
          | MXFP4(?:[-_]MOE)?
          | NVFP4
          | BF16 | FP?16 | FP?32
          | Q[2-8]                                          # Phi-3-mini-4k-instruct-q4
        )
    )
    (?![A-Za-z0-9])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SEPARATORS = re.compile(r"[-_.\s]+")
_SAME = {"fp16": "f16", "fp32": "f32", "mxfp4moe": "mxfp4"}
_DYNAMIC = "ud"


def label_of(name: str) -> str | None:
    """Return the label in a file name in its usual spelling (``Q4_K_M``, ``UD-Q4_K_XL``), or None.

    The last path component with a label decides, and in it the last label: ``f16-Q4_K_M`` is a ``Q4_K_M``.
    """
    for part in reversed(name.split("/")):
        found = list(_LABEL.finditer(part))
        if found:
            return _usual_spelling(found[-1]["label"])
    return None


def without_label(name: str) -> str:
    """Return a name without its last label: ``Qwen3-8B`` for ``Qwen3-8B:Q4_K_M``. Unchanged without a label."""
    found = list(_LABEL.finditer(name))
    if not found:
        return name
    rest = name[found[-1].end() :]
    return (name[: found[-1].start()].rstrip("-_.: ") + rest) or name


def folded(label: str) -> str:
    """Return a comparison key, the same for all spellings of a label: ``q4-k-m`` and ``Q4_K_M``."""
    key = _SEPARATORS.sub("", label).casefold()
    prefix, rest = (_DYNAMIC, key[2:]) if key.startswith(_DYNAMIC) else ("", key)
    return prefix + _SAME.get(rest, rest)


def without_dynamic(key: str) -> str:
    """Return a folded label without ``UD-``: ``Q4_K_XL`` matches ``UD-Q4_K_XL`` if the repository has no other."""
    return key.removeprefix(_DYNAMIC)


def _usual_spelling(label: str) -> str:
    upper = label.upper().replace("-", "_").replace("FP16", "F16").replace("FP32", "F32")
    return upper.replace("UD_", "UD-", 1) if upper.startswith("UD_") else upper
