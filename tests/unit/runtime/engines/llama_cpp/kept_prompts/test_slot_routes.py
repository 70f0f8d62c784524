"""What llama.cpp's server says of its slots, and how it is asked to save them."""

import json

import pytest

from gglib.runtime.engines.kept_prompts.policy import SlotPrompt
from gglib.runtime.engines.llama_cpp.kept_prompts.slot_routes import (
    read_refusal,
    read_state,
    read_transfer,
    restore_request,
    save_request,
)
from gglib.runtime.engines.slot_files import SlotRequest, SlotState, SlotTransfer

METRICS = b"# TYPE x\nllamacpp:prompt_tokens_total 300\nllamacpp:prompt_seconds_total 1.5\n"
SLOTS = [
    {"id": 0, "n_ctx": 1024, "is_processing": False},
    {"id": 1, "is_processing": False, "id_task": 3, "n_prompt_tokens": 100},
    {"id": 2, "is_processing": False, "id_task": 7, "n_prompt_tokens": 200},
    {"id": 3, "is_processing": True, "id_task": 9, "n_prompt_tokens": 300},
]


def test_used_slots_are_read_the_last_one_first() -> None:
    """A slot that no request has used, and one that computes, are left out."""
    assert read_state(json.dumps(SLOTS).encode(), METRICS) == SlotState(
        (SlotPrompt(slot=2, tokens=200, idle_s=0.0), SlotPrompt(slot=1, tokens=100, idle_s=1.0)), 200.0, 300.0
    )


@pytest.mark.parametrize(
    ("slots", "metrics"),
    [
        (b"", METRICS),
        (b"{}", METRICS),
        (b"[" * 100_000, METRICS),
        (b"[]", b""),
        (b"[]", b"llamacpp:prompt_tokens_total 0\nllamacpp:prompt_seconds_total 0\n"),
    ],
)
def test_an_engine_that_says_nothing_is_not_saved(slots: bytes, metrics: bytes) -> None:
    """Damaged, or before its first prompt."""
    assert read_state(slots, metrics) is None


@pytest.mark.parametrize(
    "slot", [1, {"id": "1", "id_task": 1, "n_prompt_tokens": 1}, {"id": 1, "id_task": 1}]
)
def test_strange_slots_are_left_out(slot: object) -> None:
    """Of another build, perhaps."""
    state = read_state(json.dumps([slot]).encode(), METRICS)
    assert state is not None
    assert state.prompts == ()


def test_requests_name_slot_and_file() -> None:
    """In the path and in the body."""
    assert save_request(2, "a.bin") == SlotRequest(b"/slots/2?action=save", b'{"filename": "a.bin"}')
    assert restore_request(0, "b").path == b"/slots/0?action=restore"


def test_transfers_are_read() -> None:
    """Of both directions."""
    assert read_transfer(b'{"n_saved":236,"n_written":124720,"timings":{"save_ms":4.5}}') == SlotTransfer(
        236, 124720, 0.0045
    )
    assert read_transfer(b'{"n_restored":1,"n_read":2,"timings":{"restore_ms":2}}') == SlotTransfer(
        1, 2, 0.002
    )
    for body in (
        b"",
        b"[]",
        b"{}",
        b'{"n_saved":"1","n_written":2,"timings":{"save_ms":1}}',
    ):
        assert read_transfer(body) is None


def refusal(type_: str, message: str) -> bytes:
    """Return an error of the engine."""
    return json.dumps({"error": {"code": 501, "message": message, "type": type_}}).encode()


def test_refusals_for_good_are_recognized() -> None:
    """Others may succeed the next time."""
    multimodal = refusal("not_supported_error", "This feature is not supported by multimodal")
    assert read_refusal(501, multimodal) == "a model with a projector cannot save its slots"
    assert read_refusal(501, refusal("not_supported_error", "no")) == "its engine cannot save slots"
    assert read_refusal(400, refusal("invalid_request_error", "Unable to save slot")) is None
    assert read_refusal(200, multimodal) is None
    assert read_refusal(500, b"x") is None
