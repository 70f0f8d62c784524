"""What a model can be asked for, judged by its architecture, its pooling, its classifier and its chat template. Pure.

The template is the only witness: no header says "this model calls tools", but a template that was written for
it reads the variable ``tools``. The rules are a table; each says what it looks for and where.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from gglib.core.kinds import ENCODERS
from gglib.core.models import ModelCapabilities, Pooling
from gglib.gguf.tensors import Head

# llama.cpp's pooling types; 0 is none.
_POOLINGS: dict[int | None, Pooling] = {1: "mean", 2: "cls", 3: "last", 4: "rank"}


class Place(Enum):
    """Where a rule looks."""

    ARCHITECTURE = "the architecture's name"
    CODE = "identifiers and string literals in the template's tags"
    VARIABLE = "identifiers in the template's tags, outside string literals"
    TEXT = "anywhere in the template, as part of a longer text"


@dataclass(frozen=True, slots=True)
class Rule:
    """A capability is given if one of ``marks`` is found in ``place``."""

    capability: Literal["tools", "reasoning", "vision"]
    place: Place
    marks: frozenset[str]


RULES = (
    # 1. The list of tools that a request brings: a variable, for prose speaks of "tools" too.
    Rule("tools", Place.VARIABLE, frozenset({"tools"})),
    # 2. The calls that an earlier answer made: message.tool_calls or message['tool_calls'].
    Rule("tools", Place.CODE, frozenset({"tool_calls"})),
    # 3. Switches that turn thinking on and off, and the field that carries what was thought.
    Rule(
        "reasoning",
        Place.CODE,
        frozenset(
            {"enable_thinking", "reasoning_content", "reasoning_effort", "thinking", "thinking_budget"}
        ),
    ),
    # 4. The marks that fence thoughts off from the answer, family by family.
    Rule(
        "reasoning",
        Place.TEXT,
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
    # 5. A message part of the type image, in OpenAI's words or in the template author's.
    Rule("vision", Place.CODE, frozenset({"image", "image_url", "input_image"})),
    # 6. The marks an image is put in place of.
    Rule(
        "vision",
        Place.TEXT,
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
    Rule(
        "vision",
        Place.ARCHITECTURE,
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
# A literal that is never closed ends with the template, so that each character is looked at once.
_TOKEN = re.compile(
    r"""
      '(?P<single> [^'\\]*+ (?:\\. [^'\\]*+)*+ ) (?:'|\\?\Z)
    | "(?P<double> [^"\\]*+ (?:\\. [^"\\]*+)*+ ) (?:"|\\?\Z)
    | (?P<word> [A-Za-z_]\w*+ )
    | (?P<close> [%}]\} )
    """,
    re.VERBOSE | re.DOTALL,
)


def find_pooling(architecture: str, pooling_type: int | None, head: Head = Head.NONE) -> Pooling | None:
    """Return how a model pools, for its kind and for its launch; None for one that does not.

    Converters write no pooling type for the rerankers of BERT's family: they are recognized by their classifier.
    An encoder without either pools by the mean, as most do; its engine would refuse each request otherwise.
    """
    pooling = _POOLINGS.get(pooling_type)
    if head is Head.OUTPUT or (head is Head.INNER and pooling is None):
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
    head: Head = Head.NONE,
) -> ModelCapabilities:
    """Return what a model with this header can be asked for.

    A model that pools its output into a vector embeds and does nothing else, whatever template it carries; one that
    pools into a rank reranks and does nothing else. Vision says that the model was made for images; to see one, the
    engine also needs the model's projector, which is another file.
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
        Place.ARCHITECTURE: {architecture},
        Place.VARIABLE: variables,
        Place.CODE: variables | literals,
    }
    return {rule.capability for rule in RULES if _is_met(rule, words, template)}


def _is_met(rule: Rule, words: Mapping[Place, set[str]], template: str) -> bool:
    if rule.place is Place.TEXT:
        return any(mark in template for mark in rule.marks)
    return not rule.marks.isdisjoint(words[rule.place])


def _tokens(template: str) -> Iterator[tuple[str, bool]]:
    """Yield each identifier and each string literal in the tags of a Jinja template; comments are skipped.

    One pass that never looks back, so that no template can make it slow. What is not Jinja yields little.
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
        else:  # the tag is never closed, so all of the template has been looked at
            return
