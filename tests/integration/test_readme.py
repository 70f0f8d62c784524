"""The README's example runs as it stands."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2

from gglib.testing import install_scripted_server

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_embedding_example_serves(tmp_path: Path) -> None:
    """It serves the home that the environment names, says where, answers, and ends with Ctrl-C."""
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    engine = install_scripted_server(tmp_path / "bin")
    program = subprocess.Popen(
        [sys.executable, "-u", "-c", example],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "GGLIB_HOME": str(tmp_path / "home"), "GGLIB_ENGINE": str(engine)},
    )
    assert program.stdout is not None
    try:
        found = re.search(r"serving on (http://127\.0\.0\.1:\d+)", program.stdout.readline())
        assert found
        assert httpx2.get(f"{found[1]}/health").json() == {"status": "ok"}
        assert httpx2.get(f"{found[1]}/v1/models").json()["data"] == []
        missing = httpx2.post(f"{found[1]}/v1/chat/completions", json={"model": "other"})
        assert missing.json()["error"]["code"] == "model_not_found"
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=60)
        assert errors.strip().endswith("KeyboardInterrupt")
    finally:
        program.kill()
        program.communicate()
