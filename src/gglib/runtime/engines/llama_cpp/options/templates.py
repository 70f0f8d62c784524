"""Options for chat templates and reasoning. Pure."""

import json
from pathlib import Path

from gglib.runtime.engines.llama_cpp.options.option import ON, Kind, choice, integer, members, other, switch

BUILT_IN_TEMPLATES = (
    "bailing", "bailing-think", "bailing2", "chatglm3", "chatglm4", "chatml", "command-r", "deepseek", "deepseek-ocr",
    "deepseek2", "deepseek3", "exaone-moe", "exaone3", "exaone4", "falcon3", "gemma", "gigachat", "glmedge",
    "gpt-oss", "granite", "granite-4.0", "granite-4.1", "grok-2", "hunyuan-dense", "hunyuan-moe", "hunyuan-vl",
    "kimi-k2", "llama2", "llama2-sys", "llama2-sys-bos", "llama2-sys-strip", "llama3", "llama4", "megrez", "minicpm",
    "mistral-v1", "mistral-v3", "mistral-v3-tekken", "mistral-v7", "mistral-v7-tekken", "monarch", "openchat",
    "orion", "pangu-embedded", "phi3", "phi4", "rwkv-world", "seed_oss", "smolvlm", "solar-open", "vicuna",
    "vicuna-orca", "yandex", "zephyr",
)  # fmt: skip
"""llama.cpp's built-in templates (b10434)."""
_JINJA_TEMPLATE = "chatml"
"""The built-in template that is written in Jinja."""
_KWARGS = "default_template_kwargs"
_REASONING = {"on": 1, "off": 0, "auto": -1}


def is_plain_template(text: str) -> bool:
    """Whether a template works without Jinja only: with it, the engine would take the name for the template's text.

    Such templates do not support tools.
    """
    return text in BUILT_IN_TEMPLATES and text != _JINJA_TEMPLATE


def _json_texts(text: str) -> dict[str, str]:
    """Encode a JSON object as the wheel has it: each value as the text of its JSON."""
    return {key: json.dumps(value) for key, value in json.loads(text).items()}


def _effort(text: str) -> dict[str, str]:
    return {} if text == "default" else {"reasoning_effort": json.dumps(text)}


def _file_text(text: str) -> str:
    """Encode a template's file as its text. Blocks; raises ``OSError`` or ``UnicodeDecodeError``."""
    return Path(text).read_text(encoding="utf-8")


TEMPLATES = (
    other(
        Kind.TEXT, "--chat-template", "chat_template", "Name of a built-in template, or the template itself."
    ),
    other(
        Kind.FILE,
        "--chat-template-file",
        "chat_template",
        "File with the chat template in Jinja.",
        encode=_file_text,
    ),
    other(
        Kind.JSON,
        "--chat-template-kwargs",
        _KWARGS,
        "Values for the chat template, as a JSON object.",
        encode=_json_texts,
    ),
    choice(
        "--reasoning -rea",
        "enable_reasoning",
        "Whether the model thinks before it answers.",
        ("on", "off", "auto"),
        default="auto",
        encode=_REASONING.__getitem__,
    ),
    choice(
        "--reasoning-format",
        "reasoning_format",
        "How thoughts are separated from the answer.",
        members("COMMON_REASONING_FORMAT_", none="NONE", auto="AUTO", deepseek="DEEPSEEK")
        | {"deepseek-legacy": "COMMON_REASONING_FORMAT_DEEPSEEK_LEGACY"},
        default="auto",
    ),
    integer(
        "--reasoning-budget",
        "sampling.reasoning_budget_tokens",
        "Tokens of thought; 0: none, -1: no limit.",
        default="-1",
        minimum=-1,
    ),
    other(
        Kind.TEXT,
        "--reasoning-budget-message",
        "sampling.reasoning_budget_message",
        "Text that ends the thoughts when the budget is used up.",
    ),
    other(
        Kind.TEXT,
        "--reasoning-effort",
        _KWARGS,
        "Effort that the chat template gets, such as low or high.",
        default="default",
        encode=_effort,
    ),
    switch(
        "--reasoning-preserve",
        None,
        "Keep the thoughts of earlier answers in the conversation.",
        off="--no-reasoning-preserve",
        default="",
    ),
    switch(
        "--prefill-assistant",
        "prefill_assistant",
        "Continue a last message of the assistant.",
        off="--no-prefill-assistant",
        default=ON,
    ),
    switch(
        "--skip-chat-parsing",
        "force_pure_content_parser",
        "Return thoughts and tool calls as text.",
        off="--no-skip-chat-parsing",
    ),
    switch("--special -sp", "special", "Show special tokens in the output."),
    switch("--spm-infill", None, "Fill in the middle: suffix, prefix, middle."),
)
