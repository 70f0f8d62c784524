"""gglib and its engine are killed with -9 while conversations are saved and restored."""

import json
import os
import random
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from tests.e2e.conftest import Gglib
from tests.integration.chaos.report import Report
from tests.support.waiting import wait_until

MODES = ("gglib in a save", "engine in a save", "gglib in a restore", "engine in a restore")
TOKENS = 3000
_WINDOW_S = 0.002
"""From the first sight of a file on: the kill is somewhere in it. A save or restore takes about as long."""
_POLL_S = 0.0002
_BEGIN_LIMIT_S = 20.0
_AGAIN_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveKillsPlan:
    """How many kills, and where in their windows."""

    seed: int
    kills: int


def prompt_of(number: int, tokens: int) -> list[int]:
    """Return the tokens of a conversation; different ones differ from the beginning."""
    return [260 + (number * 7 + index * (3 + number)) % 90 for index in range(tokens)]


def ask(gglib: Gglib, prompt: list[int], **fields: Any) -> httpx2.Response:
    """Send a greedy completion."""
    body = {"model": "tiny-a", "prompt": prompt, "max_tokens": 8, "temperature": 0, "ignore_eos": True}
    return httpx2.post(f"{gglib.url}/v1/completions", json=body | fields, timeout=60, trust_env=False)


def text_of(response: httpx2.Response) -> str:
    """Return the generated text."""
    text: str = response.json()["choices"][0]["text"]
    return text


class SaveKills:
    """One run of kills on one home."""

    def __init__(self, plan: SaveKillsPlan, gglib: Gglib) -> None:
        self.report = Report()
        self._plan, self._gglib = plan, gglib
        self._random = random.Random(plan.seed)  # noqa: S311 - repeatable
        self._first = prompt_of(1, TOKENS)
        self._next_turn = [*self._first, *prompt_of(2, 40)]

    def run(self) -> Report:
        """Kill, and check after each kill; the home has ``kv_keep_over_restart``."""
        gglib = self._gglib.serve("--ctx", "4096")
        expected = text_of(ask(gglib, self._next_turn, cache_prompt=False))
        for number in range(self._plan.kills):
            mode = MODES[number % len(MODES)]
            is_within = self._kill(mode)
            if gglib.process is None or gglib.process.poll() is not None:
                wait_until(lambda: not gglib.engines(), within_s=5, poll_s=0.02)
                gglib.serve("--ctx", "4096")
            moment = mode if is_within else f"{mode}, just after it"
            self._check(f"{number}, {moment}", moment, expected)
            self.report.kills += 1
        return self.report

    def _kill(self, mode: str) -> bool:
        """Kill at a moment of a save or restore; return whether its file was there until then."""
        self._answered(self._first)
        if mode.endswith("restore"):
            self._unload()
            caused = threading.Thread(target=self._quietly, args=(lambda: ask(self._gglib, self._next_turn),))
            files = "*/slots/kept-*.bin"  # links, from just before each restore to its end
        else:
            caused = threading.Thread(target=self._quietly, args=(self._unload,))
            files = "*/slots/saved-*.bin"  # until it is complete
        caused.start()
        has_begun = self._await_file(files)
        time.sleep(self._random.uniform(0, _WINDOW_S) if has_begun else 0)
        is_within = bool(self._matching(files))
        if mode.startswith("gglib"):
            assert self._gglib.process is not None
            self._gglib.process.kill()
            self._gglib.process.wait(10)
        else:
            for pid in self._gglib.engines():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        caused.join(60)

        return is_within

    def _await_file(self, files: str) -> bool:
        """Return when a save or restore has begun; False if it does not begin."""
        deadline = time.monotonic() + _BEGIN_LIMIT_S
        while not self._matching(files):
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def _matching(self, files: str) -> list[Path]:
        return list((self._gglib.home / "run" / "engines").glob(files))

    @staticmethod
    def _quietly(act: Any) -> None:
        with suppress(httpx2.TransportError):  # gglib was killed
            act()

    def _unload(self) -> None:
        httpx2.post(f"{self._gglib.url}/gglib/models/tiny-a/unload", timeout=60, trust_env=False)

    def _answered(self, prompt: list[int]) -> httpx2.Response:
        """Return a response with status 200: a load that a kill broke is refused for some seconds."""
        deadline = time.monotonic() + _AGAIN_S
        while True:
            response = ask(self._gglib, prompt)
            if response.status_code == 200 or time.monotonic() > deadline:
                return response
            time.sleep(0.2)

    def _check(self, what: str, mode: str, expected: str) -> None:
        began_s = time.monotonic()
        response = self._answered(self._next_turn)
        if response.status_code != 200:
            self.report.complain(f"{what}: {response.status_code} {response.text[:200]}")
            return
        cached = response.json()["timings"]["cache_n"]
        end = f"{mode}, then {'reused' if cached >= TOKENS - 1 else 'cold'}"
        self.report.times_s.setdefault(end, []).append(time.monotonic() - began_s)
        if text_of(response) != expected:
            self.report.complain(f"{what}: another answer, with {cached} tokens reused")
        for left in leftovers(self._gglib.home):
            self.report.complain(f"{what}: {left} is left")


def leftovers(home: Path) -> list[str]:
    """Return what a crash left and the next start should have deleted."""
    found = [path.name for path in (home / "run" / "engines").iterdir()][1:]
    for directory in (home / "kept").iterdir():
        for path in directory.glob("slot-*"):
            note = directory / f"{path.stem}.json"
            if path.suffix not in {".bin", ".json"} or not path.with_suffix(".bin").exists():
                found.append(path.name)
            elif path.suffix == ".bin":
                size_bytes = json.loads(note.read_bytes())["size_bytes"] if note.exists() else None
                found += [] if size_bytes == path.stat().st_size else [path.name]
    return found
