"""Copies of slots over HTTP: their files never stay, and a request never waits long for them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.waiting import until

from gglib.core.models import RunningTarget
from gglib.core.runtime.slots import SlotCopy
from gglib.runtime.engines.base import PreparedLaunch, ReadyCheck
from gglib.runtime.engines.kept_prompts.fingerprint import Fingerprint
from gglib.runtime.engines.llama_cpp.kept_prompts.slot_routes import (
    read_refusal,
    read_state,
    read_transfer,
    restore_request,
    save_request,
)
from gglib.runtime.engines.slot_files import SlotFiles
from gglib.runtime.local import slot_copies as module
from gglib.runtime.local.slot_copies import MAX_FAILURES, SlotCopies, slot_copies

COPY = SlotCopy(source=0, destination=2, shared_bytes=500, size_bytes=1000)


def files_in(directory: Path, off_reason: str | None = None) -> SlotFiles:
    """Return how an engine saves slots to a directory."""
    return SlotFiles(
        directory=directory,
        fingerprint=Fingerprint(files=("1",), engine="test"),
        off_reason=off_reason,
        state_paths=(b"/slots", b"/metrics"),
        read_state=read_state,
        unchanged_path=None,
        save=save_request,
        restore=restore_request,
        read_transfer=read_transfer,
        read_refusal=read_refusal,
    )


SAVED = {"n_saved": 300, "n_written": 900, "timings": {"save_ms": 1}}
RESTORED = {"n_restored": 300, "n_read": 900, "timings": {"restore_ms": 1}}


@dataclass
class Slots:
    """An engine that writes and reads files of slots."""

    directory: Path
    requests: list[str] = field(default_factory=list)
    rate: bytes = b"llamacpp:prompt_tokens_total 300\nllamacpp:prompt_seconds_total 3\n"
    on_save: Callable[[], Awaitable[None]] | None = None
    error: str | None = None
    """The action that fails."""
    port: int = 0
    open: int = 0

    @property
    def files(self) -> list[str]:
        """The names of its files."""
        return [path.name for path in self.directory.iterdir()]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one request."""
        self.open += 1
        try:
            await self._answer(reader, writer)
        finally:
            writer.transport.abort()
            self.open -= 1

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        self.requests.append(path)
        content = b"[]" if path == "/slots" else self.rate
        if method == "POST":
            length = next(int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:"))
            name = json.loads(await reader.readexactly(length))["filename"]
            content = json.dumps(await self._transfer(path, name)).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
        await reader.read()

    async def _transfer(self, path: str, name: str) -> object:
        action = path.rpartition("=")[2]
        if action == self.error:
            return {"error": {"code": 501, "message": "This server does not support slots action."}}
        if action == "restore":
            assert name in self.files
            return RESTORED
        if self.on_save is not None:
            await self.on_save()
        (self.directory / name).write_bytes(b"a conversation")
        return SAVED


@asynccontextmanager
async def engine(tmp_path: Path, **fields: object) -> AsyncIterator[tuple[Slots, SlotCopies]]:
    """Run an engine for the block; yield it and the copies of its launch."""
    slots = Slots(tmp_path, **fields)  # type: ignore[arg-type]
    server = await asyncio.start_server(slots.answer, "127.0.0.1", 0)
    slots.port = server.sockets[0].getsockname()[1]
    target = RunningTarget.local(slots.port, 1, "m", 4096)
    launch = PreparedLaunch(
        argv=(), ready=ReadyCheck(), slot_directory=tmp_path, slot_files=files_in(tmp_path)
    )
    async with server, slot_copies(target, launch) as copies:
        assert copies is not None
        yield slots, copies
        await until(lambda: not slots.open)


async def test_slot_is_saved_and_restored_and_its_file_deleted(tmp_path: Path) -> None:
    """The rate of prompts is read once."""
    async with engine(tmp_path) as (slots, copies):
        assert await copies.copy(COPY)
        assert await copies.copy(COPY)
        saves_and_restores = ["/slots/0?action=save", "/slots/2?action=restore"]
        assert slots.requests == ["/slots", "/metrics", *saves_and_restores, *saves_and_restores]
        assert not slots.files


async def test_rate_of_a_few_tokens_does_not_count(tmp_path: Path) -> None:
    """After a restore, a request computes a few tokens: the rate is read again for the next copy."""
    rate = b"llamacpp:prompt_tokens_total 2\nllamacpp:prompt_seconds_total 0.001\n"
    async with engine(tmp_path, rate=rate) as (slots, copies):
        assert await copies.copy(COPY)
        assert await copies.copy(COPY)
        assert slots.requests.count("/metrics") == 2


async def test_copy_that_takes_longer_than_computing_ends_after_the_save(tmp_path: Path) -> None:
    """The next one is not begun."""
    rate = b"llamacpp:prompt_tokens_total 3000000\nllamacpp:prompt_seconds_total 3\n"
    async with engine(tmp_path, rate=rate) as (slots, copies):
        assert not await copies.copy(COPY)
        assert not await copies.copy(COPY)
        assert slots.requests == ["/slots", "/metrics", "/slots/0?action=save"]
        assert not slots.files


@pytest.mark.parametrize("error", ["save", "restore"])
async def test_engine_that_cannot_is_not_asked_again(tmp_path: Path, error: str) -> None:
    """After some failures in a row."""
    async with engine(tmp_path, error=error) as (slots, copies):
        for _ in range(MAX_FAILURES + 2):
            assert not await copies.copy(COPY)
        assert len([path for path in slots.requests if path.endswith(error)]) == MAX_FAILURES
        assert not slots.files


async def test_engine_is_asked_again_after_a_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, if it fails again; a copy that succeeds ends the pauses."""
    async with engine(tmp_path, error="save") as (slots, copies):
        for _ in range(MAX_FAILURES):
            assert not await copies.copy(COPY)
        monkeypatch.setattr(module, "PAUSE_S", 0.0)
        assert not await copies.copy(COPY)
        monkeypatch.setattr(module, "PAUSE_S", 600.0)
        slots.error = None
        assert not await copies.copy(COPY)
        monkeypatch.setattr(module, "PAUSE_S", 0.0)
        assert await copies.copy(COPY)
        monkeypatch.setattr(module, "PAUSE_S", 600.0)
        assert await copies.copy(COPY)


async def test_one_slow_copy_does_not_end_them(tmp_path: Path) -> None:
    """A disk that was busy at that moment: the prompts that are computed meanwhile lead to another try."""
    async with engine(tmp_path) as (_, copies):
        slow = {"timings": {"save_ms": 5000}}, {"timings": {"restore_ms": 5000}}
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(SAVED, "timings", slow[0]["timings"])
            patch.setitem(RESTORED, "timings", slow[1]["timings"])
            assert not await copies.copy(COPY)
        assert not await copies.copy(COPY)
        for _ in range(200):
            if await copies.copy(COPY):
                break
        else:
            raise AssertionError("no copy was tried again")
        assert await copies.copy(COPY)


async def test_nothing_is_copied_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gigabyte of the disk stays free."""
    monkeypatch.setattr(module, "FREE_BYTES", 2**80)
    async with engine(tmp_path) as (slots, copies):
        assert not await copies.copy(COPY)
        assert not slots.requests


async def test_request_does_not_wait_for_a_slow_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is deleted when the engine has written it; nothing is restored."""
    monkeypatch.setattr(module, "LIMIT_S", 0.05)
    goes_on = asyncio.Event()

    async def wait() -> None:
        await goes_on.wait()

    async with engine(tmp_path, on_save=wait) as (slots, copies):
        assert not await copies.copy(COPY)
        goes_on.set()
        await until(lambda: not copies._tasks)
        assert slots.requests == ["/slots", "/metrics", "/slots/0?action=save"]
        assert not slots.files


async def test_client_that_leaves_leaves_no_file(tmp_path: Path) -> None:
    """The copy goes on without it until the file can be deleted."""
    begins, goes_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begins.set()
        await goes_on.wait()

    async with engine(tmp_path, on_save=wait) as (slots, copies):
        request = asyncio.create_task(copies.copy(COPY))
        await begins.wait()
        request.cancel()
        await asyncio.wait([request])
        assert request.cancelled()
        goes_on.set()
        await until(lambda: not copies._tasks)
        assert slots.requests[-1] == "/slots/0?action=save"
        assert not slots.files


async def test_engine_that_stops_during_a_copy_ends_it(tmp_path: Path) -> None:
    """Without an error for the request."""
    begins, goes_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begins.set()
        await goes_on.wait()

    async with engine(tmp_path, on_save=wait) as (_, copies):
        request = asyncio.create_task(copies.copy(COPY))
        await begins.wait()
        await copies.close()
        assert not await request
        goes_on.set()


async def test_engine_that_is_gone_copies_nothing(tmp_path: Path) -> None:
    """Nothing listens any more."""
    async with engine(tmp_path) as (_, copies):
        pass
    assert not await copies.copy(COPY)


@pytest.mark.parametrize("off_reason", [None, "the state of its drafts cannot be saved"])
async def test_launch_without_files_of_slots_has_no_copies(tmp_path: Path, off_reason: str | None) -> None:
    """Another engine than llama.cpp's, or a model whose files would lack a part."""
    files = None if off_reason is None else files_in(tmp_path, off_reason)
    launch = PreparedLaunch(argv=(), ready=ReadyCheck(), slot_directory=tmp_path, slot_files=files)
    async with slot_copies(RunningTarget.local(1, 1, "m", 4096), launch) as copies:
        assert copies is None
