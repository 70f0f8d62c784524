"""Runs one exchange with a cluster (``agent_command``) in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

from gglib.app.cluster.home import ClusterHome, ClusterPart
from gglib.core.errors import NodeError
from gglib.nodes.ray.environment import driver_environment
from gglib.nodes.ray.versions import start_failure

MODULE = "gglib.app.cluster.agent_command"


def exchange(home: ClusterHome, part: ClusterPart, action: str, *, within_s: float) -> dict[str, Any]:
    """Return the answer of a cluster. Raises ``NodeError`` if it does not answer in time."""
    request = {
        "action": action,
        "address": part.address,
        "node_ip": part.node_ip,
        "name": part.name,
        "port": part.first_port,
        "home": str(home.home),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", MODULE],
        env=driver_environment(os.environ, home.token_file),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    try:
        answer, messages = process.communicate(json.dumps(request), timeout=within_s)
    except subprocess.TimeoutExpired:
        raise NodeError(_no_answer(part)) from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    try:
        result: dict[str, Any] = json.loads(answer)
    except ValueError:
        raise NodeError(start_failure(messages, part.address, part.first_port) or _no_answer(part)) from None
    return result


def _no_answer(part: ClusterPart) -> str:
    return (
        f"The head of the cluster at {part.address} does not answer: check its machine, 'gglib cluster init' there "
        "starts it again."
    )
