"""The garbage collector settings, in a separate process: frozen objects would stay frozen."""

import json
import subprocess
import sys

CODE = """
import asyncio, gc, json
from gglib.system import gc_tuning

class Cycle:
    def __init__(self):
        self.self = self

def cycles():
    return sum(type(found) is Cycle for found in gc.get_objects())

async def main():
    before = gc.get_threshold()
    Cycle()
    gc_tuning.INTERVAL_S = 0.01
    async with gc_tuning.tuned_gc():
        at_start = cycles()
        kept = [Cycle() for _ in range(10)]
        await asyncio.sleep(0.1)
        few = [Cycle() for _ in range(10)]
        del few
        await asyncio.sleep(0.1)
        left = cycles() - len(kept)
        many = [Cycle() for _ in range(2 * gc_tuning.MIN_OBJECTS)]
        del many
        while cycles() > len(kept):
            await asyncio.sleep(0.01)
        print(json.dumps([before, gc.get_threshold(), gc.get_freeze_count(), at_start, left]))

asyncio.run(main())
"""


def test_the_collector_looks_less_often_and_keeps_no_garbage() -> None:
    """The threshold of the youngest generation is higher than before, and live objects are frozen.

    Garbage is freed at first and then regularly, but not for the few objects of an idle server.
    """
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=30
    )
    before, after, frozen, at_start, left = json.loads(done.stdout)
    assert after[0] > before[0]
    assert after[1:] == before[1:]
    assert frozen > 1000
    assert at_start == 0
    assert left == 10
