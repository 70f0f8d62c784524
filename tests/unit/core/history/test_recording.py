"""Which bodies are recorded."""

import pytest

from gglib.core.history.recording import NO_RECORDING, RecordingRule, matches_glob


@pytest.mark.parametrize(
    ("setting", "key", "models", "expected"),
    [
        (False, "alice", ("qwen",), False),
        ((), "alice", ("qwen",), False),
        (True, None, (None,), True),
        (True, "alice", ("qwen",), True),
        (("key:alice",), "alice", (None,), True),
        (("key:alice",), "ALICE", (None,), True),
        (("key:alice",), "alice2", ("alice",), False),
        (("key:alice",), None, ("alice",), False),
        (("key:a*",), "alice", (), True),
        (("key:*",), None, ("m",), False),
        (("model:qwen*",), None, ("Qwen3-4B",), True),
        (("model:qwen*",), None, ("coder", "qwen"), True),
        (("model:qwen*",), None, ("coder", None), False),
        (("model:qwen*",), None, (None, None), False),
        (("model:qwen",), None, ("qwen:latest",), True),
        (("model:qwen:latest",), None, ("qwen:latest",), True),
        (("model:qwen",), None, ("qwen3",), False),
        (("model:me\u0301lodie",), None, ("M\u00c9LODIE",), True),
        (("key:bob", "model:coder"), "bob", ("x",), True),
        (("key:bob", "model:coder"), "eve", ("coder",), True),
        (("key:bob", "model:coder"), "eve", ("x",), False),
    ],
)
def test_a_pattern_of_the_key_or_of_a_name_of_the_model_has_to_match(
    *, setting: bool | tuple[str, ...], key: str | None, models: tuple[str | None, ...], expected: bool
) -> None:
    """Whole names, ignoring case; what may be recorded includes what is."""
    rule = RecordingRule(setting)
    assert rule.records(key, *models) is expected
    assert rule.may_record(key) or not expected


def test_before_the_model_is_known_only_the_key_can_exclude_a_request() -> None:
    """So a rule of keys alone captures no other requests."""
    assert not RecordingRule(("key:alice",)).may_record("bob")
    assert not RecordingRule(("key:alice",)).may_record(None)
    assert RecordingRule(("key:alice", "model:m")).may_record("bob")
    assert not NO_RECORDING.may_record("alice")


def test_a_rule_is_true_if_it_records_anything() -> None:
    """And equal to one of the same setting."""
    assert not NO_RECORDING
    assert not RecordingRule(())
    assert RecordingRule(True)
    assert RecordingRule(("key:a",))
    assert RecordingRule(("key:a",)) == RecordingRule(["key:a"]) != RecordingRule(("key:b",))
    assert hash(RecordingRule(("key:a",))) == hash(RecordingRule(["key:a"]))
    assert RecordingRule(False) != RecordingRule(())


def test_globs() -> None:
    """As the rule has them."""
    assert matches_glob("gpt-[34]", "GPT-4")
    assert not matches_glob("gpt-?", "gpt-35")
