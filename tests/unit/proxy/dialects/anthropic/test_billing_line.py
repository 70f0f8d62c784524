"""The line that Claude Code puts in front of its system prompt."""

import json
from typing import Any

import pytest

from gglib.proxy.dialects.anthropic.billing_line import may_have_billing_line, without_billing_line
from gglib.proxy.dialects.anthropic.raw_json import ABSENT

LINE = "x-anthropic-billing-header: cc_version=2.1.197.b3f; cc_entrypoint=sdk-cli;"
OLD = "x-anthropic-billing-header: cc_version=2.1.101.e51; cc_entrypoint=cli; cch=a5145;"
YOU = {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}}


def stripped(system: object) -> Any:
    """Return ``system`` without the line; ``ABSENT`` if nothing is left."""
    raw = json.dumps(system).encode()
    result = without_billing_line(raw)
    if result is not ABSENT and bytes(result) != raw:
        assert may_have_billing_line(raw)
    return result if result is ABSENT else json.loads(bytes(result))


@pytest.mark.parametrize("line", [LINE, OLD, f"{LINE}\n", f"{OLD}\n\n"])
def test_a_block_with_the_line_alone_is_removed(line: str) -> None:
    """As Claude Code 2.1.197 sends it."""
    assert stripped([{"type": "text", "text": line}, YOU]) == [YOU]
    assert stripped([{"type": "text", "text": line}]) is ABSENT
    assert stripped(line) is ABSENT


@pytest.mark.parametrize("line", [LINE, OLD, f"{LINE}\n"])
def test_only_the_line_is_removed_from_a_longer_text(line: str) -> None:
    """Older versions send one block; its other members stay."""
    block = {"type": "text", "text": f'{line}You say "é"\n', "cache_control": {"type": "ephemeral"}}
    assert stripped([block, YOU]) == [{**block, "text": 'You say "é"\n'}, YOU]
    assert stripped(block["text"]) == 'You say "é"\n'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "You are an agent.",
        f" {LINE}",
        f"You are an agent.\n{LINE}",
        "x-anthropic-billing-header: what is it?",
        "x-anthropic-billing-header: cc_version=2.1",
        "x-anthropic-billing-header:cc_version=2.1;",
        "X-Anthropic-Billing-Header: cc_version=2.1;",
        'x-anthropic-billing-header: cc_version="2";',
    ],
)
def test_another_text_stays(text: str) -> None:
    """A prompt may be about the line."""
    assert stripped(text) == text
    assert stripped([{"type": "text", "text": text}, YOU]) == [{"type": "text", "text": text}, YOU]


def test_the_line_stays_in_a_later_block() -> None:
    """Only the first block of Claude Code has it."""
    blocks = [YOU, {"type": "text", "text": LINE}]
    assert stripped(blocks) == blocks
    assert stripped([]) == []


def test_further_fields_belong_to_the_line_in_its_form_only() -> None:
    """The text may go on with anything."""
    assert stripped(f"{LINE} cc_workload=cron; Do it;") == " Do it;"
    assert stripped(f"{LINE} Always=1; x") == " Always=1; x"


def test_a_long_prompt_is_not_searched() -> None:
    """The quick test reads the first bytes."""
    assert not may_have_billing_line(json.dumps("x" * 300 + LINE).encode())
    assert not may_have_billing_line(b"null")
