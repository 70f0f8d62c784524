"""What a model can do, by its architecture, its pooling, its classifier and its chat template. Pure.

The template is the only evidence: no header says "this model calls tools", but a template that supports tools reads the
variable ``tools``. The rules are a table; each one says what it searches and where.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from gglib.core.kinds import ENCODERS
from gglib.core.models import ModelCapabilities, Pooling
from gglib.gguf.tensors import ClassifierHead

# llama.cpp's pooling types; 0 means none.
_POOLINGS: dict[int | None, Pooling] = {1: "mean", 2: "cls", 3: "last", 4: "rank"}


class MarkLocation(Enum):
    """Where a rule searches."""

    ARCHITECTURE = "the architecture's name"
    CODE = "identifiers and string literals in the template's tags"
    VARIABLE = "identifiers in the template's tags, outside string literals"
    TEXT = "anywhere in the template, as part of a longer text"


@dataclass(frozen=True, slots=True)
class CapabilityRule:
    """Grants a capability if one of ``marks`` is found at ``location``."""

    capability: Literal["tools", "reasoning", "vision"]
    location: MarkLocation
    marks: frozenset[str]


RULES = (
    # 1. The tools of a request: as a variable, since "tools" also occurs in prose.
    CapabilityRule("tools", MarkLocation.VARIABLE, frozenset({"tools"})),
    # 2. The calls of an earlier response: message.tool_calls or message['tool_calls'].
    CapabilityRule("tools", MarkLocation.CODE, frozenset({"tool_calls"})),
    # 3. Switches for reasoning, and the field that carries the reasoning text.
    CapabilityRule(
        "reasoning",
        MarkLocation.CODE,
        frozenset(
            {"enable_thinking", "reasoning_content", "reasoning_effort", "thinking", "thinking_budget"}
        ),
    ),
    # 4. The marks that separate reasoning from the answer, by model family.
    CapabilityRule(
        "reasoning",
        MarkLocation.TEXT,
        frozenset(
            {
                "<think>",
                "</think>",
                "<thought>",
                "<seed:think>",
                "◁think▷",
                "[THINK]",
                "<|START_THINKING|>",
                "<|channel|>analysis",
                "<|inner_prefix|>",
            }
        ),
    ),
    # 5. A message part of the type image, with OpenAI's name or the template author's.
    CapabilityRule("vision", MarkLocation.CODE, frozenset({"image", "image_url", "input_image"})),
    # 6. The marks that are replaced by an image.
    CapabilityRule(
        "vision",
        MarkLocation.TEXT,
        frozenset(
            {
                "<image>",
                "<|image|>",
                "<|image_pad|>",
                "<|image_1|>",
                "<|vision_start|>",
                "<start_of_image>",
                "<image_soft_token>",
                "<__image__>",
                "[IMG]",
            }
        ),
    ),
    # 7. Architectures that exist for images only.
    CapabilityRule(
        "vision",
        MarkLocation.ARCHITECTURE,
        frozenset(
            {
                "cogvlm",
                "deepseek2-ocr",
                "hunyuan_vl",
                "mllama",
                "paddleocr",
                "qwen2vl",
                "qwen3vl",
                "qwen3vlmoe",
            }
        ),
    ),
)

_OPEN = re.compile(r"\{[{%#]")
# An unclosed literal ends with the template, so that each character is scanned once.
_TOKEN = re.compile(
    r"""
      '(?P<single> [^'\\]*+ (?:\\. [^'\\]*+)*+ ) (?:'|\\?\Z)
    | "(?P<double> [^"\\]*+ (?:\\. [^"\\]*+)*+ ) (?:"|\\?\Z)
    | (?P<word> [A-Za-z_]\w*+ )
    | (?P<close> [%}]\} )
    """,
    re.VERBOSE | re.DOTALL,
)


def find_pooling(
    architecture: str, pooling_type: int | None, head: ClassifierHead = ClassifierHead.NONE
) -> Pooling | None:
    """Return how a model pools, for its kind and its launch; None for a model that does not.

    Converters write no pooling type for rerankers of the BERT family: they are recognized by their classifier. An
    encoder without either uses mean pooling, as most do; otherwise its engine would reject every request.
    """
    pooling = _POOLINGS.get(pooling_type)
    if head is ClassifierHead.OUTPUT or (head is ClassifierHead.INNER and pooling is None):
        return "rank"
    if pooling is None and architecture in ENCODERS:
        return "mean"
    return pooling


def find_capabilities(
    *,
    architecture: str,
    pooling_type: int | None,
    template: str | None,
    tool_template: str | None = None,
    head: ClassifierHead = ClassifierHead.NONE,
) -> ModelCapabilities:
    """Return what a model with this header can do.

    A model that pools its output into a vector embeds and does nothing else, whatever template it has; a model that
    pools into a rank reranks and does nothing else. Vision means that the model was made for images; to process them,
    the engine also needs the model's projector, which is another file.
    """
    pooling = find_pooling(architecture, pooling_type, head)
    if pooling is not None:
        return ModelCapabilities(embedding=pooling != "rank", rerank=pooling == "rank")
    found = _find(architecture, f"{template or ''}{tool_template or ''}")
    return ModelCapabilities(
        chat=bool(template or tool_template),
        tools="tools" in found,
        reasoning="reasoning" in found,
        vision="vision" in found,
    )


def _find(architecture: str, template: str) -> set[str]:
    variables: set[str] = set()
    literals: set[str] = set()
    for text, is_literal in _tokens(template):
        (literals if is_literal else variables).add(text)
    words = {
        MarkLocation.ARCHITECTURE: {architecture},
        MarkLocation.VARIABLE: variables,
        MarkLocation.CODE: variables | literals,
    }
    return {rule.capability for rule in RULES if _is_met(rule, words, template)}


def _is_met(rule: CapabilityRule, words: Mapping[MarkLocation, set[str]], template: str) -> bool:
    if rule.location is MarkLocation.TEXT:
        return any(mark in template for mark in rule.marks)
    return not rule.marks.isdisjoint(words[rule.location])


def _tokens(template: str) -> Iterator[tuple[str, bool]]:
    """Yield each identifier and each string literal in the tags of a Jinja template; comments are skipped.

    A single pass without backtracking, so that no template can make it slow. Text that is not Jinja yields little.
    """
    position = 0
    while (opening := _OPEN.search(template, position)) is not None:
        position = opening.end()
        if opening.group() == "{#":
            end = template.find("#}", position)
            position = len(template) if end < 0 else end + 2
            continue
        for token in _TOKEN.finditer(template, position):
            if token["close"]:
                position = token.end()
                break
            if token["word"]:
                yield token["word"], False
            else:
                yield token["single"] or token["double"] or "", True
        else:  # the tag is never closed, so all of the template has been scanned
            return
