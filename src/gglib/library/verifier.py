"""Verifies one model at a time, with progress, for the HTTP API."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from gglib.core.models import ModelSummary
from gglib.core.names import require_model
from gglib.core.ports.store import HomeStorePort
from gglib.core.verification import FileCheck, Verification, VerifyProgress
from gglib.library.verify import HashFile, OnVerifyProgress, files_of, verify_models
from gglib.system.files.file_state import read_state

PROGRESS_INTERVAL_S = 0.2
"""Minimum interval between two reports of progress."""


class Verifier:
    """Verifies models of a catalogue; a second verification waits for the first, because both read the same disk."""

    def __init__(self, store: HomeStorePort, hash_file: HashFile) -> None:
        self._store = store
        self._hash_file = hash_file
        self._turn = asyncio.Lock()

    async def verify(self, name: str) -> AsyncGenerator[VerifyProgress | Verification, None]:
        """Yield the progress at once and when it changes, and last the result. Closing it stops the hashing.

        The first step raises ``ModelNotFoundError``; every step may raise ``CatalogError``.
        """
        model = await require_model(self._store, name)
        files = [path for path, _ in files_of(model)]
        sizes = await asyncio.to_thread(lambda: [_size_of(path) for path in files])
        total = sum(sizes)
        starts = {path: sum(sizes[:number]) for number, path in enumerate(files)}
        latest = shown = VerifyProgress(file=files[0].name if files else "", done_bytes=0, total_bytes=total)
        yield shown

        def on_progress(path: Path, done_bytes: int) -> None:
            nonlocal latest
            done = min(total, starts.get(path, 0) + done_bytes)
            latest = VerifyProgress(file=path.name, done_bytes=done, total_bytes=total)

        verifying = asyncio.create_task(self._checks(model, on_progress), name="verify")
        try:
            while not (await asyncio.wait([verifying], timeout=PROGRESS_INTERVAL_S))[0]:
                if latest != shown:
                    shown = latest
                    yield shown
            yield Verification(checks=tuple(verifying.result()))
        finally:
            verifying.cancel()
            await asyncio.gather(verifying, return_exceptions=True)

    async def _checks(self, model: ModelSummary, on_progress: OnVerifyProgress) -> list[FileCheck]:
        """Hash the files when it is this model's turn, which does not last longer if its client does not read."""
        async with self._turn:
            return await verify_models([model], self._store, self._hash_file, on_progress)


def _size_of(path: Path) -> int:
    """Return the size of a file in bytes; 0 if it is missing."""
    state = read_state(path)
    return 0 if state is None else state[1]
