"""A stream that waits says so, until it has something to say."""

import asyncio

import pytest

from gglib.proxy.answer import Answer
from gglib.proxy.heartbeat import Heartbeat

from .test_proxy_answer import an_answer

SOON_S = 1e-6
LATER_S = 3600.0


class BeatingAnswer(Answer):
    """An answer whose beats can be waited for; ``fails_with``, when set, is what they fail with."""

    __slots__ = ("beats", "fails_with", "was_beaten")

    def __init__(self) -> None:
        _, wire = an_answer()
        super().__init__(wire, method="POST", minor_version=1, request_id="r-1")
        self.beats = 0
        self.fails_with: Exception | None = None
        self.was_beaten = asyncio.Event()

    async def beat(self) -> None:
        """Count."""
        self.beats += 1
        self.was_beaten.set()
        if self.fails_with is not None:
            raise self.fails_with


async def wait_for_a_beat(answer: BeatingAnswer, *, then_fail_with: Exception | None = None) -> None:
    """Wait in a block with a heartbeat, and leave it after the first beat."""
    async with Heartbeat(answer, SOON_S):
        await answer.was_beaten.wait()
        await asyncio.sleep(0)
        if then_fail_with is not None:
            raise then_fail_with


async def test_it_beats_again_and_again_until_it_is_stopped() -> None:
    """While the block waits there is a beat after each interval; after ``stop`` there is none."""
    answer = BeatingAnswer()
    async with Heartbeat(answer, SOON_S) as heartbeat:
        for _ in range(3):
            answer.was_beaten.clear()
            await answer.was_beaten.wait()
        await heartbeat.stop()
        await heartbeat.stop()
        beats = answer.beats
        for _ in range(10):
            await asyncio.sleep(0)
        assert answer.beats == beats >= 3
        assert len(asyncio.all_tasks()) == 1


async def test_a_block_that_ends_before_the_first_beat_has_no_task() -> None:
    """Most answers begin before: then there was only a timer, and it is gone."""
    answer = BeatingAnswer()
    async with Heartbeat(answer, LATER_S) as heartbeat:
        assert len(asyncio.all_tasks()) == 1
        timer = heartbeat._timer
        assert timer is not None
    assert timer.cancelled()
    assert answer.beats == 0


async def test_every_zero_seconds_is_never() -> None:
    """A client that breaks on comments gets none."""
    answer = BeatingAnswer()
    async with Heartbeat(answer, 0) as heartbeat:
        assert heartbeat._timer is None
    assert answer.beats == 0


async def test_the_end_of_the_block_ends_it_whatever_ended_the_block() -> None:
    """Nothing beats on after an error."""
    answer = BeatingAnswer()
    with pytest.raises(ZeroDivisionError):
        await wait_for_a_beat(answer, then_fail_with=ZeroDivisionError())
    assert len(asyncio.all_tasks()) == 1


async def test_a_beat_that_fails_is_told_when_it_is_stopped() -> None:
    """What went wrong in the background is raised in the block that it served."""
    answer = BeatingAnswer()
    answer.fails_with = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await wait_for_a_beat(answer)
