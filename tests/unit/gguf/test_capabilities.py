"""The capability rules, one case each, on the forms that templates in use have."""

import time

import pytest

from gglib.core.models import Pooling
from gglib.gguf.capabilities import find_capabilities, find_pooling
from gglib.gguf.tensors import ClassifierHead

_PLAIN = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + m['content'] }}{% endfor %}"


def _names(template: str | None, **more: object) -> set[str]:
    arguments: dict[str, object] = {"architecture": "llama", "pooling_type": None, **more}
    return set(find_capabilities(template=template, **arguments).names())  # type: ignore[arg-type] # cases


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        # 0. No template, none of the rules.
        (None, set()),
        ("", set()),
        (_PLAIN, {"chat"}),
        # 1. The variable, but not prose, a literal, a comment or a longer word.
        ("{%- if tools %}{{ tools | tojson }}{% endif %}", {"chat", "tools"}),
        ("You may use tools. {{ messages }}", {"chat"}),
        ("{{ 'You may use tools }} and tools' }}", {"chat"}),
        ("{# tools #}{{ builtin_tools }}", {"chat"}),
        ("{{ 'it\\'s tools' }}", {"chat"}),
        ('{{ "a" }}{# }} #}{% if not tools %}', {"chat", "tools"}),
        # 2. The calls of an earlier answer, in both spellings.
        ("{% if message.tool_calls %}", {"chat", "tools"}),
        ("{% if message['tool_calls'] %}", {"chat", "tools"}),
        # 3. Switches and fields.
        ("{% if enable_thinking is defined and enable_thinking is false %}", {"chat", "reasoning"}),
        ('{{ message["reasoning_content"] }}', {"chat", "reasoning"}),
        # 4. Fences.
        (_PLAIN + "<think>\n", {"chat", "reasoning"}),
        ("{{ '<|channel|>analysis<|message|>' }}", {"chat", "reasoning"}),
        # 5. Parts of the type image; a word in prose is not one.
        ("{% if part['type'] == 'image_url' %}", {"chat", "vision"}),
        ("Describe the image. {{ messages }}", {"chat"}),
        # 6. Places for an image.
        ("{{ '<|vision_start|><|image_pad|><|vision_end|>' }}", {"chat", "vision"}),
        # 8. What is not well formed is read as far as it goes.
        ("{{ tools", {"chat", "tools"}),
        ("{{ 'tools", {"chat"}),
        ("{# tools", {"chat"}),
    ],
)
def test_template_rules(template: str | None, expected: set[str]) -> None:
    """A template gives exactly the capabilities that its tags and marks show."""
    assert _names(template) == expected


def test_vision_architecture() -> None:
    """An architecture made for images has vision, with any template."""
    assert _names(_PLAIN, architecture="qwen2vl") == {"chat", "vision"}


def test_second_template_for_tools() -> None:
    """A template of its own for requests with tools counts like the first."""
    assert _names(_PLAIN, tool_template="{{ tools }}") == {"chat", "tools"}


@pytest.mark.parametrize(
    ("architecture", "pooling_type", "expected"),
    [
        ("bert", None, {"embedding"}),
        ("gemma-embedding", 1, {"embedding"}),
        ("qwen3", 3, {"embedding"}),
        ("qwen3", None, {"chat"}),
        ("qwen3", 4, {"rerank"}),
        ("bert", 4, {"rerank"}),
        ("bert", 0, {"embedding"}),
        ("llama", 9, {"chat"}),
    ],
)
def test_pooling(architecture: str, pooling_type: int | None, expected: set[str]) -> None:
    """A model that pools into a vector only embeds; one that pools into a rank only reranks, even with a template."""
    assert _names(_PLAIN, architecture=architecture, pooling_type=pooling_type) == expected


@pytest.mark.parametrize("piece", ["{{'\\", "{{", "{#", "'\\", "\"'", "{{ a }", "a"])
def test_hostile_template_is_read_in_one_pass(piece: str) -> None:
    """A megabyte of unclosed tags and quotes takes about as long as any other megabyte."""
    started_s = time.process_time()  # other programs do not count
    _names("{{" + piece * (1024**2 // len(piece)))

    assert time.process_time() - started_s < 5


@pytest.mark.parametrize(
    ("architecture", "pooling_type", "head", "expected"),
    [
        (
            "bert",
            None,
            ClassifierHead.OUTPUT,
            "rank",
        ),  # BGE, MiniLM: converters write no pooling type for them
        ("jina-bert-v2", None, ClassifierHead.INNER, "rank"),  # its one layer is called cls
        ("bert", 2, ClassifierHead.INNER, "cls"),  # an embedding model that kept a layer of its head
        ("modern-bert", 2, ClassifierHead.OUTPUT, "rank"),
        ("qwen3", 4, ClassifierHead.OUTPUT, "rank"),
        ("qwen3", 4, ClassifierHead.NONE, "rank"),
        ("qwen3", None, ClassifierHead.OUTPUT, "rank"),
        ("qwen3", 3, ClassifierHead.NONE, "last"),
        ("qwen3", None, ClassifierHead.NONE, None),
        ("bert", 1, ClassifierHead.NONE, "mean"),
        ("t5encoder", None, ClassifierHead.NONE, "mean"),
        ("bert", 0, ClassifierHead.NONE, "mean"),
        ("llama", 9, ClassifierHead.NONE, None),
    ],
)
def test_pooling_type_of_a_model(
    architecture: str, pooling_type: int | None, head: ClassifierHead, expected: Pooling | None
) -> None:
    """The header's pooling type is used, a classifier makes a reranker, and an encoder without either uses the mean."""
    assert find_pooling(architecture, pooling_type, head) == expected
    capabilities = find_capabilities(
        architecture=architecture, pooling_type=pooling_type, template=_PLAIN, head=head
    )
    assert capabilities.rerank is (expected == "rank")
    assert capabilities.embedding is (expected in {"mean", "cls", "last"})
    assert capabilities.chat is (expected is None)
