"""The README's example runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import httpx2

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_embedding_example_serves() -> None:
    """It binds, says where, answers, and lists its model."""
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    program = subprocess.Popen([sys.executable, "-u", "-c", example], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    try:
        found = re.search(r"\('127\.0\.0\.1', (\d+)\)", program.stdout.readline())
        assert found
        url = f"http://127.0.0.1:{found[1]}"
        assert httpx2.get(f"{url}/health").json() == {"status": "ok"}
        assert [model["id"] for model in httpx2.get(f"{url}/v1/models").json()["data"]] == ["mine"]
        missing = httpx2.post(f"{url}/v1/chat/completions", json={"model": "other"})
        assert missing.json()["error"]["code"] == "model_not_found"
        nobody = httpx2.post(f"{url}/v1/chat/completions", json={"model": "mine"})
        assert nobody.json()["error"]["code"] == "upstream_error"
    finally:
        program.kill()
        program.communicate()
