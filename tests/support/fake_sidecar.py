"""A sidecar that says what a test has written: ``python -m tests.support.fake_sidecar SOCKET ADDRESS``.

``ADDRESS`` is the path of a file. Its first line is ``silent``, ``end`` or ``stay``; the others are sent. With
``silent`` nothing is connected, with ``end`` the process ends then.
"""

import socket
import sys
import time
from pathlib import Path

FOR_EVER_S = 3600


def main(path: str, script: str) -> None:
    """Say it, and stay."""
    mode, _, lines = Path(script).read_bytes().partition(b"\n")
    if mode == b"silent":
        time.sleep(FOR_EVER_S)
    front = socket.socket(socket.AF_UNIX)
    front.connect(path)
    front.sendall(lines)
    if mode == b"stay":
        front.recv(1)


if __name__ == "__main__":
    main(*sys.argv[1:3])
