"""From a hub to a chat response: the starter model is pulled from a local hub, verified, added and used."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.conftest import Gglib

from gglib.library.starter import SMOLLM2
from gglib.testing.local_hub import LocalHub

REPO = "HuggingFaceTB/SmolLM2-135M-Instruct-GGUF"

pytestmark = pytest.mark.e2e


def test_the_starter_model_is_pulled_and_answers(tmp_path: Path, smollm2: Path) -> None:
    """98 MB over real sockets, through ``gglib pull`` and ``gglib run``, without further options or set-up."""
    with LocalHub() as hub:
        hub.add_repository(REPO, {"SmolLM2-135M-Instruct-Q4_1.gguf": smollm2})
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GGLIB_", "HF_"))},
            "GGLIB_HOME": str(tmp_path),
            "GGLIB_ENGINE": Gglib.engine,
            "HF_ENDPOINT": hub.url,
            "NO_PROXY": "127.0.0.1,localhost",
        }

        def gglib(*arguments: str) -> str:
            done = subprocess.run(
                [sys.executable, "-m", "gglib", *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=600,  # threads of an engine alone spin, also beside other busy programs
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert f"gglib pull {REPO}:Q4_1" in gglib("search", "smollm2")
        assert "SHA-256 verified" in gglib("pull", f"{REPO}:Q4_1")
        sent = hub.sent_bytes("SmolLM2-135M-Instruct-Q4_1.gguf")
        assert SMOLLM2.file_size_bytes <= sent < SMOLLM2.file_size_bytes + 1_000_000

    # The hub is down: the local model still works.
    (file,) = (tmp_path / "models" / REPO).glob("Q4_1-*/SmolLM2-135M-Instruct-Q4_1.gguf")
    with file.open("rb") as content:
        assert hashlib.file_digest(content, "sha256").hexdigest() == SMOLLM2.file_sha256
    answer = gglib("run", f"{REPO}:Q4_1", "What is the capital of France? One word.")
    assert any(character.isalpha() for character in answer)
    assert "matches its source" in gglib("verify")
