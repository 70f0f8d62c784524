"""The hash that follows a download, however its bytes come."""

import hashlib
import random
import threading
from pathlib import Path

import pytest

from gglib.core.hub.repository import RemoteFile
from gglib.hf.cancellation import Stop, StoppedError
from gglib.hf.download.hashing import Follower
from gglib.hf.download.manifest import Identity
from gglib.hf.download.part_file import Part, open_part

SIZE, BLOCK = 8_000_000, 50_000
DATA = random.Random(3).randbytes(SIZE)  # noqa: S311 - test data
FILE = RemoteFile(name="m.gguf", repo="ada/m", revision="c" * 40, size_bytes=SIZE)


def bring(part: Part, follower: Follower, first: int, end: int) -> None:
    """Write a piece block by block, as a lane does, with the buffer that comes back."""
    buffer = memoryview(bytearray(BLOCK))
    for at in range(first, end, BLOCK):
        length = min(BLOCK, end - at)
        buffer[:length] = DATA[at : at + length]
        part.write(buffer[:length], at)
        buffer = follower.came(buffer, length, at)


@pytest.mark.parametrize("pieces", [1, 2, 3, 5])
@pytest.mark.parametrize("here_before", [0, 1_234_567])
def test_the_hash_is_that_of_the_file_however_many_lanes_bring_it(
    tmp_path: Path, pieces: int, here_before: int
) -> None:
    """Also after a part of it was here before; again and again, since threads take turns as they like."""
    for _ in range(5):
        with open_part(FILE, tmp_path / "m.gguf") as part:
            part.begin(Identity(key=part.key, size_bytes=SIZE, etag=None))
            part.write(memoryview(DATA)[:here_before], 0)
            with Follower(part, Stop()) as follower:
                step = (SIZE - here_before) // pieces + 1
                starts = range(here_before, SIZE, step)
                lanes = [
                    threading.Thread(target=bring, args=(part, follower, start, min(start + step, SIZE)))
                    for start in starts
                ]
                for lane in lanes:
                    lane.start()
                for lane in lanes:
                    lane.join()
                assert follower.finish(SIZE) == hashlib.sha256(DATA).hexdigest()
            part.discard()


def test_a_stop_ends_it_and_nobody_waits_for_it(tmp_path: Path) -> None:
    """A lane whose blocks nobody takes any more goes on writing."""
    stop = Stop()
    with open_part(FILE, tmp_path / "m.gguf") as part:
        part.begin(Identity(key=part.key, size_bytes=SIZE, etag=None))
        with Follower(part, stop) as follower:
            stop.set()
            bring(part, follower, 0, SIZE)
            with pytest.raises(StoppedError):
                follower.finish(SIZE)
