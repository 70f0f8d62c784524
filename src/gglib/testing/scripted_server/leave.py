"""How a scripted llama-server's process ends: recorded, and with the code or the signal that was asked for."""

import os
import signal
import sys
from typing import NoReturn

from gglib.testing.scripted_server.record import Recorder

LIFETIME_EXIT_CODE = 3
"""Of a process that a failed test forgot, which ends by itself."""


def leave(recorder: Recorder, code: int) -> NoReturn:
    """Record the end and exit; a negative code is a death by that signal."""
    recorder.add("exit", code=code)
    sys.stderr.flush()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    os._exit(code)
