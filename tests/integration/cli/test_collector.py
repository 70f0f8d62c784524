"""The garbage collector settings, in a separate process: frozen objects would stay frozen."""

import json
import subprocess
import sys

CODE = """
import gc, json
from gglib.system.gc_tuning import tune_gc
before = gc.get_threshold()
class Cycle: pass
lost = Cycle(); lost.self = lost; del lost
tune_gc()
print(json.dumps([before, gc.get_threshold(), gc.get_freeze_count(), sum(type(o) is Cycle for o in gc.get_objects())]))
"""


def test_the_collector_looks_less_often_and_keeps_no_garbage() -> None:
    """Garbage is freed, live objects are frozen, and the threshold of the youngest generation is higher than before."""
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=30
    )
    before, after, frozen, lost = json.loads(done.stdout)
    assert after[0] > before[0]
    assert after[1:] == before[1:]
    assert frozen > 1000
    assert lost == 0
