"""Ends the process of a scripted llama-server: records the exit, then exits with the given code or signal."""

import os
import signal
import sys
from typing import NoReturn

from gglib.testing.scripted_server.record import Recorder

LIFETIME_EXIT_CODE = 3
"""Of a process that a failed test left behind, which exits by itself."""


def exit_process(recorder: Recorder, code: int) -> NoReturn:
    """Record the exit and exit; a negative code is a death by that signal."""
    recorder.add("exit", code=code)
    sys.stderr.flush()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    os._exit(code)
