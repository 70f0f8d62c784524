"""SIGHUP with the real engine: new keys and model options, while streams run."""

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.e2e.conftest import Gglib

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="counts processes by /proc"),
]

OLD, NEW, KEPT = "key-of-before", "key-of-after", "key-of-bob"
TOKENS = 4_000
LIMIT_S = 120.0


class Stream:
    """A streamed completion of ``TOKENS`` tokens. A thread reads its beginning, and the rest when it is joined."""

    def __init__(self, gglib: Gglib, model: str, key: str) -> None:
        self._gglib, self._model, self._key = gglib, model, key
        self._has_begun, self._reads_on = threading.Event(), threading.Event()
        self.text = ""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        assert self._has_begun.wait(LIMIT_S)

    def join(self) -> str:
        """Return the whole response."""
        self._reads_on.set()
        self._thread.join(LIMIT_S)
        return self.text

    def _read(self) -> None:
        body = {
            "model": self._model,
            "prompt": "Hi",
            "stream": True,
            "max_tokens": TOKENS,
            "ignore_eos": True,
        }
        with (
            httpx2.Client(trust_env=False, timeout=LIMIT_S) as client,
            client.stream(
                "POST", f"{self._gglib.url}/v1/completions", json=body, headers=bearer(self._key)
            ) as answer,
        ):
            for part in answer.iter_text():
                self.text += part
                self._has_begun.set()
                self._reads_on.wait(LIMIT_S)


def bearer(key: str) -> dict[str, str]:
    """Return the header with a key."""
    return {"Authorization": f"Bearer {key}"}


def complete(gglib: Gglib, model: str, key: str) -> httpx2.Response:
    """Request one token."""
    body = {"model": model, "prompt": "Hi", "max_tokens": 1}
    with httpx2.Client(trust_env=False, timeout=LIMIT_S) as client:
        return client.post(f"{gglib.url}/v1/completions", json=body, headers=bearer(key))


def residents(gglib: Gglib) -> dict[str, dict[str, Any]]:
    """Return the status of each resident model."""
    status: dict[str, Any] = json.loads(gglib.command("ps", "--json"))
    return {resident["model_name"]: resident for resident in status["residents"]}


def pids(gglib: Gglib) -> dict[str, int]:
    """Return the engine of each resident model."""
    return {name: resident["pid"] for name, resident in residents(gglib).items()}


def write_config(home: Path, key: str) -> None:
    """Write the settings with this access key of alice, and that of bob."""
    path = home / "config.toml"
    path.touch(mode=0o600)
    path.write_text(
        f"max_models = 2\nctx = 8192\nslots = 2\nfirst_byte_s = 0\n[api_keys]\n"
        f'alice = "{key}"\nbob = "{KEPT}"\n'
    )


def test_sighup_applies_keys_and_model_options_and_interrupts_no_valid_request(home: Gglib) -> None:
    """Streams with a key that stays are complete, and the changed model gets its new context after them.

    A key that was replaced is refused, and its stream ends: it may be a leaked one.
    """
    write_config(home.home, OLD)
    home.serve()
    streams = [Stream(home, "tiny-a", KEPT), Stream(home, "Tiny-B", KEPT)]
    replaced = Stream(home, "tiny-a", OLD)
    before = pids(home)
    assert before.keys() == {"tiny-a", "Tiny-B"}

    write_config(home.home, NEW)
    home.command("set", "Tiny-B", "--ctx", "2048")
    assert home.process is not None
    home.process.send_signal(signal.SIGHUP)
    home.wait_until(lambda: complete(home, "tiny-a", OLD).status_code == 401)
    assert complete(home, "tiny-a", NEW).status_code == 200
    assert '"invalid_api_key"' in replaced.join()
    assert all(resident["in_flight"] == 1 for resident in residents(home).values())
    for stream in streams:
        text = stream.join()
        assert text.rstrip().endswith("[DONE]")
        assert '"error"' not in text

    answer = complete(home, "Tiny-B", NEW)
    assert (answer.status_code, answer.headers["x-gglib-context"]) == (200, "2048")
    after = pids(home)
    assert after["tiny-a"] == before["tiny-a"]
    assert after["Tiny-B"] != before["Tiny-B"]
    assert home.launches("tiny-a") == 1
    assert home.launches("Tiny-B") == 2
