"""What the sidecar uses of Ray. Calls to agents are their results."""

import os
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

_NAME, _, _URL = os.environ.get("FAKE_CLUSTER_NODE", "").partition("=")

__version__ = "0"
util = SimpleNamespace(
    list_named_actors=lambda **_given: [{"name": f"gglib-agent-{_NAME}", "namespace": "gglib"}]
)


def init(**_given: object) -> None:
    """Connect to nothing."""


def shutdown() -> None:
    """Disconnect."""


def get_runtime_context() -> SimpleNamespace:
    """Return what identifies the cluster."""
    return SimpleNamespace(get_session_name=lambda: "fake")


def nodes() -> list[dict[str, Any]]:
    """Return the raylet of the node."""
    return [{"Labels": {"gglib-node": _NAME}, "Alive": True, "NodeManagerAddress": "127.0.0.1"}]


def get_actor(_name: str, _namespace: str) -> SimpleNamespace:
    """Return the agent of the node."""
    return SimpleNamespace(report=SimpleNamespace(remote=lambda: {"url": _URL}))


def wait(calls: Sequence[Any], **_given: object) -> tuple[Sequence[Any], list[Any]]:
    """Return the calls as done."""
    return calls, []


def get(call: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a call."""
    return call
