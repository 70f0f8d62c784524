"""What is learned about saving the slots of a model."""

from gglib.runtime.local.kept_prompts.model_record import (
    FIRST_BYTES_TOKEN,
    FIRST_RESTORE_BYTES_S,
    FIRST_SAVE_BYTES_S,
    MAX_MISSES,
    MAX_RETRY_BYTES_S,
    RETRY_FACTOR,
    ModelRecord,
    encode_record,
    read_record,
)

MIB = 1024 * 1024
KNOWN = ModelRecord(engine="e", prompt_tokens_s=100.0)


def test_restores_without_reuse_switch_it_off() -> None:
    """Three in a row, for this build; one with reuse begins anew."""
    record = KNOWN
    for _ in range(MAX_MISSES - 1):
        record = record.with_reuse(is_reused=False)
    assert record.off_reason is None
    assert record.with_reuse(is_reused=True).misses == 0
    off = record.with_reuse(is_reused=False)
    assert off.off_reason == "three restores in a row were not reused by this build"
    assert off.of_engine("e") == off
    assert off.of_engine("f").off_reason is None


def test_rates_are_learned() -> None:
    """From the first save and restore on; before, from an estimate or common values."""
    assert ModelRecord().rates(bytes_token=1.0) is None
    first = KNOWN.rates(bytes_token=None)
    assert first is not None
    assert (first.bytes_token, first.save_bytes_s, first.restore_bytes_s) == (
        FIRST_BYTES_TOKEN,
        FIRST_SAVE_BYTES_S,
        FIRST_RESTORE_BYTES_S,
    )
    learned = KNOWN.with_save(tokens=1000, size_bytes=2 * MIB, seconds=2.0)
    rates = learned.with_restore(size_bytes=2 * MIB, seconds=1.0).rates(bytes_token=5.0)
    assert rates is not None
    assert (rates.bytes_token, rates.save_bytes_s, rates.restore_bytes_s) == (2 * MIB / 1000, MIB, 2 * MIB)


def test_few_tokens_say_little_of_the_speed_of_prompts() -> None:
    """After a restore, a request computes a token or two, which take longer each than those of a long prompt."""
    record = ModelRecord().with_prompts(tokens=31, tokens_s=20.0)
    assert record.prompt_tokens_s == 20.0
    record = record.with_prompts(tokens=2000, tokens_s=200.0)
    assert record.prompt_tokens_s == 200.0
    after_one = record.with_prompts(tokens=1, tokens_s=0.7).prompt_tokens_s
    assert after_one is not None
    assert after_one > 199.0
    assert record.with_prompts(tokens=2048, tokens_s=100.0).prompt_tokens_s == 150.0


def test_what_each_file_has_beside_its_tokens_is_not_theirs() -> None:
    """The state of recurrent layers: by the size of a short prompt alone, a long one would seem too large to save."""
    short = KNOWN.with_save(tokens=100, size_bytes=20 * MIB + 100 * 1000, seconds=1.0, bytes_token=1000.0)
    rates = short.rates(bytes_token=None)
    assert rates is not None
    assert (rates.bytes_token, rates.fixed_bytes) == (1000.0, 20 * MIB)
    assert rates.size_bytes(10_000) == 20 * MIB + 10_000_000
    smaller = short.with_save(tokens=10_000, size_bytes=5_000_000, seconds=1.0)
    assert (smaller.bytes_token, smaller.fixed_bytes) == (500.0, 0.0)
    unknown = KNOWN.with_save(tokens=100, size_bytes=100_000, seconds=1.0)
    assert (unknown.bytes_token, unknown.fixed_bytes) == (1000.0, 0.0)


def test_a_save_that_was_given_up_is_never_a_faster_one() -> None:
    """It may have begun shortly before the end of the time."""
    known = KNOWN.with_save(tokens=1000, size_bytes=2 * MIB, seconds=2.0)
    assert known.with_unfinished_save(size_bytes=100 * MIB, seconds=0.01).save_bytes_s == MIB
    assert known.with_unfinished_save(size_bytes=MIB, seconds=2.0).save_bytes_s == MIB / 2
    assert KNOWN.with_unfinished_save(size_bytes=1.0, seconds=0.0).save_bytes_s == FIRST_SAVE_BYTES_S


def test_what_was_too_slow_is_tried_again() -> None:
    """One slow transfer would end the saves for good. What was measured as faster stays as it is."""
    slow = KNOWN.with_save(tokens=1000, size_bytes=2 * MIB, seconds=2.0)
    slow = slow.with_restore(size_bytes=2 * MIB, seconds=2.0).with_nothing_saved()
    assert (slow.save_bytes_s, slow.restore_bytes_s) == (MIB * RETRY_FACTOR, MIB * RETRY_FACTOR)
    for _ in range(200):
        slow = slow.with_nothing_saved()
    assert (slow.save_bytes_s, slow.restore_bytes_s) == (MAX_RETRY_BYTES_S, MAX_RETRY_BYTES_S)
    fast = KNOWN.with_save(tokens=1000, size_bytes=2 * MIB, seconds=0.0001).with_nothing_saved()
    assert fast.save_bytes_s == 2 * MIB / 0.0001
    assert fast.restore_bytes_s == FIRST_RESTORE_BYTES_S * RETRY_FACTOR


def test_small_files_say_nothing_of_the_disk() -> None:
    """They take as long as their request."""
    small = KNOWN.with_save(tokens=10, size_bytes=1000, seconds=0.1).with_restore(
        size_bytes=1000, seconds=0.1
    )
    assert (small.bytes_token, small.save_bytes_s, small.restore_bytes_s) == (100.0, None, None)


def test_records_are_read_as_written() -> None:
    """A damaged one is empty."""
    assert read_record(encode_record(KNOWN)) == KNOWN
    for content in (b"", b"[" * 100_000, b'{"x": 1}'):
        assert read_record(content) == ModelRecord()
