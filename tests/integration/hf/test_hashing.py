"""The hash computed during a download, for any order of its bytes."""

import hashlib
import random
import threading
from pathlib import Path

import pytest

from gglib.core.hub.repository import RemoteFile
from gglib.hf.cancellation import CancelToken, OperationCancelledError
from gglib.hf.download.hashing import IncrementalHasher
from gglib.hf.download.manifest import Identity
from gglib.hf.download.part_file import PartFile, open_part

SIZE, BLOCK = 8_000_000, 50_000
DATA = random.Random(3).randbytes(SIZE)  # noqa: S311 - test data
FILE = RemoteFile(name="m.gguf", repo="ada/m", revision="c" * 40, size_bytes=SIZE)


def bring(part: PartFile, hasher: IncrementalHasher, first: int, end: int) -> None:
    """Write a range block by block, as a segment does, with the returned buffer."""
    buffer = memoryview(bytearray(BLOCK))
    for at in range(first, end, BLOCK):
        length = min(BLOCK, end - at)
        buffer[:length] = DATA[at : at + length]
        part.write(buffer[:length], at)
        buffer = hasher.update(buffer, length, at)


@pytest.mark.parametrize("pieces", [1, 2, 3, 5])
@pytest.mark.parametrize("here_before", [0, 1_234_567])
def test_the_hash_is_that_of_the_file_however_many_connections_bring_it(
    tmp_path: Path, pieces: int, here_before: int
) -> None:
    """Includes a part stored before; repeated, since threads interleave in any order."""
    for _ in range(5):
        with open_part(FILE, tmp_path / "m.gguf") as part:
            part.begin(Identity(key=part.key, size_bytes=SIZE, etag=None))
            part.write(memoryview(DATA)[:here_before], 0)
            with IncrementalHasher(part, CancelToken()) as hasher:
                step = (SIZE - here_before) // pieces + 1
                starts = range(here_before, SIZE, step)
                connections = [
                    threading.Thread(target=bring, args=(part, hasher, start, min(start + step, SIZE)))
                    for start in starts
                ]
                for connection in connections:
                    connection.start()
                for connection in connections:
                    connection.join()
                assert hasher.finish(SIZE) == hashlib.sha256(DATA).hexdigest()
            part.discard()


def test_a_cancel_ends_it_without_a_wait(tmp_path: Path) -> None:
    """A segment may still write after the hasher has stopped."""
    cancel_token = CancelToken()
    with open_part(FILE, tmp_path / "m.gguf") as part:
        part.begin(Identity(key=part.key, size_bytes=SIZE, etag=None))
        with IncrementalHasher(part, cancel_token) as hasher:
            cancel_token.cancel()
            bring(part, hasher, 0, SIZE)
            with pytest.raises(OperationCancelledError):
                hasher.finish(SIZE)
