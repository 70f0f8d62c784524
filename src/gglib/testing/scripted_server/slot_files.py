"""The slots of a scripted llama-server: what requests leave in them, and their files, with the script's faults."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gglib.testing.scripted_server import payloads
from gglib.testing.scripted_server.http1 import Request
from gglib.testing.scripted_server.response_writer import ResponseWriter
from gglib.testing.scripted_server.script import Script

TOKENS_S = 100.0
"""How fast prompts are processed, by the metrics."""
_PATH = re.compile(r"/slots/(\d+)")
_INVALID = (400, "Unable to restore slot: invalid slot save file", "invalid_request_error")
_NO_DIRECTORY = (501, "This server does not support slots action. Start it with `--slot-save-path`")
_MULTIMODAL = (501, "This feature is not supported by multimodal")


class Slots:
    """The prompts in the slots. Each completion fills the next slot with ``Script.slot_tokens`` tokens."""

    def __init__(self, script: Script, count: int, directory: str) -> None:
        self.processed = 0
        """Tokens of all prompts."""
        self._script = script
        self._tokens = [0] * count
        self._tasks = [-1] * count
        self._next = 0
        self._directory = directory

    def fill(self) -> None:
        """Process a prompt."""
        tokens = self._script.slot_tokens
        if tokens:
            slot = self._next % len(self._tokens)
            self._tokens[slot], self._tasks[slot] = tokens, self._next
            self._next += 1
            self.processed += tokens

    def shown(self, slots: bytes) -> bytes:
        """Return the response of ``/slots`` with what is in them."""
        found: list[dict[str, Any]] = json.loads(slots)
        for slot, tokens, task in zip(found, self._tokens, self._tasks, strict=True):
            if task >= 0:
                slot |= {"id_task": task, "n_prompt_tokens": tokens}
        return payloads.dumps(found)

    def metrics(self) -> bytes:
        """Return the lines of ``/metrics`` about prompts."""
        if not self._script.slot_tokens:
            return b""
        seconds = self.processed / TOKENS_S
        return f"llamacpp:prompt_tokens_total {self.processed}\nllamacpp:prompt_seconds_total {seconds}\n".encode()

    async def act(self, request: Request, response: ResponseWriter) -> bool:
        """Save or restore a slot; False if the request is another one."""
        parts = urlsplit(request.path)
        match = _PATH.fullmatch(parts.path)
        if match is None or request.method != "POST":
            return False
        action, fault = parse_qs(parts.query).get("action", [""])[0], self._script.slot_fault
        if not self._directory or fault == "unsupported":
            status, message = _MULTIMODAL if self._directory else _NO_DIRECTORY
            await response.send(status, payloads.error(status, message, "not_supported_error"))
            return True
        file = Path(self._directory + json.loads(request.body)["filename"])
        if action == "save":
            await self._save(int(match[1]), file, response)
        else:
            await self._restore(int(match[1]), file, response)
        return True

    async def _save(self, slot: int, file: Path, response: ResponseWriter) -> None:
        script, tokens = self._script, self._tokens[slot]
        content = payloads.dumps({"tokens": tokens}).ljust(tokens * script.slot_bytes)
        await asyncio.to_thread(file.write_bytes, content[: len(content) // 2])
        await asyncio.sleep(script.slot_save_s)
        if script.slot_fault == "die in save":
            response.die()
        if script.slot_fault != "full disk":  # the engine does not notice it
            await asyncio.to_thread(file.write_bytes, content)
        found = {"id_slot": slot, "filename": file.name, "n_saved": tokens, "n_written": len(content)}
        await response.send(200, payloads.dumps(found))

    async def _restore(self, slot: int, file: Path, response: ResponseWriter) -> None:
        script = self._script
        await asyncio.sleep(script.slot_restore_s)
        if script.slot_fault == "die in restore":
            response.die()
        try:
            content = await asyncio.to_thread(file.read_bytes)
            tokens = int(json.loads(content)["tokens"])
        except (OSError, ValueError):
            tokens, content = 0, b""
        if not tokens or script.slot_fault == "refused restore":
            await response.send(_INVALID[0], payloads.error(*_INVALID))
            return
        self._tokens[slot] = tokens
        found = {"id_slot": slot, "filename": file.name, "n_restored": tokens, "n_read": len(content)}
        await response.send(200, payloads.dumps(found))
