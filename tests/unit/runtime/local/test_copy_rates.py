"""Whether a copy of a slot is worth its time."""

import pytest

from gglib.core.runtime.slots import SlotCopy
from gglib.runtime.engines.slot_files import SlotTransfer
from gglib.runtime.local.copy_rates import CopyRates

COPY = SlotCopy(source=0, destination=1, shared_bytes=1000, size_bytes=4000)
"""A quarter of 1,000 tokens."""


def transfer(seconds: float, tokens: int = 1000) -> SlotTransfer:
    """Return the transfer of a prompt of 128 KB a token."""
    return SlotTransfer(tokens=tokens, size_bytes=tokens * 128_000, seconds=seconds)


def measured(*, prompt_rate: float, save_s: float, restore_s: float | None = None) -> CopyRates:
    """Return the rates after one copy."""
    rates = CopyRates()
    rates.prompt_rate = prompt_rate
    rates.record_save(COPY, transfer(save_s))
    if restore_s is not None:
        rates.record_restore(transfer(restore_s))
    return rates


def test_first_copy_shows_what_it_takes() -> None:
    """Nothing is known before it, and nothing follows from an empty slot."""
    rates = CopyRates()
    assert rates.is_worth(COPY)
    rates.prompt_rate = 1e9
    rates.record_save(COPY, transfer(1.0, tokens=0))
    rates.record_restore(transfer(1.0, tokens=0))
    assert rates.is_worth(COPY)
    assert rates.size_bytes(COPY) == 0


@pytest.mark.parametrize(
    ("prompt_rate", "save_s", "restore_s", "is_worth"),
    [
        (200, 0.1, 0.05, True),  # 250 tokens take 1.25 s
        (30_000, 0.1, 0.05, False),  # 8 ms
        (1000, 0.1, 0.06, True),  # 0.25 s beside 0.24 s
        (1000, 0.1, 0.07, False),  # 0.25 s beside 0.255 s
        (1000, 0.08, None, True),  # before the restore, it counts like the save
        (1000, 0.09, None, False),
    ],
)
def test_copy_is_worth_it_if_computing_takes_longer(
    *, prompt_rate: float, save_s: float, restore_s: float | None, is_worth: bool
) -> None:
    """Save and restore are those of the whole source; what is saved is the common beginning."""
    assert measured(prompt_rate=prompt_rate, save_s=save_s, restore_s=restore_s).is_worth(COPY) is is_worth


def test_save_that_is_done_counts_no_more() -> None:
    """What is left is the restore; before the first one, it counts as the save."""
    assert CopyRates().is_worth(COPY, is_saved=True)
    slow_save = measured(prompt_rate=1000, save_s=0.5, restore_s=0.01)
    assert not slow_save.is_worth(COPY)
    assert slow_save.is_worth(COPY, is_saved=True)
    assert not measured(prompt_rate=1000, save_s=0.5).is_worth(COPY, is_saved=True)
    assert measured(prompt_rate=1000, save_s=0.1).is_worth(COPY, is_saved=True)


def test_what_was_too_slow_is_tried_again() -> None:
    """One slow copy would end them: twice too slow, it is tried again after 36 requests without one."""
    unknown = CopyRates()
    unknown.record_not_worth()
    assert unknown.is_worth(COPY)
    for restore_s, refusals in ((None, 36), (0.25, 47)):
        rates = measured(prompt_rate=1000, save_s=0.5 / 3, restore_s=restore_s)
        for _ in range(refusals - 1):
            rates.record_not_worth()
        assert not rates.is_worth(COPY)
        rates.record_not_worth()
        assert rates.is_worth(COPY), refusals


def test_size_follows_from_the_last_copy() -> None:
    """In proportion to the text."""
    rates = measured(prompt_rate=200, save_s=0.1)

    assert rates.size_bytes(COPY) == 128_000_000
    assert rates.size_bytes(SlotCopy(source=0, destination=1, shared_bytes=1, size_bytes=8000)) == 256_000_000
