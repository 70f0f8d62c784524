"""The command lines and the environment of Ray's processes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NAMESPACE = "gglib"
"""Ray's namespace of the agents."""
AGENT_PREFIX = "gglib-agent-"
"""An agent's name in Ray, before the name of its node."""
NODE_LABEL = "gglib-node"
"""The label of a raylet with the name of its node."""
MARK_VARIABLE = "MARK_OF_GGLIB_CLUSTER"
"""Identifies the processes that one ``ray start`` of gglib has started, directly or not."""
HEAD_PORT = 6379
FIRST_PORT = 6400
WORKER_PORTS = 30
PORT_COUNT = 10 + WORKER_PORTS
"""How many ports a machine uses, from the first one."""
OBJECT_STORE_BYTES = 80_000_000
"""Little more than Ray's minimum: results of calls are a few hundred bytes."""
RECONNECT_S = 7 * 24 * 3600
"""How long raylets and drivers wait for a lost head; Ray's default is 60 s."""

_RAY_VARIABLE = "RAY_"
_SET_BY_RAY = frozenset((MARK_VARIABLE, "SPT_NOENV", "OMP_NUM_THREADS", "PYTHONBREAKPOINT"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RayletOptions:
    """What one ``ray start`` is about."""

    name: str
    """The name of the node."""
    node_ip: str
    """The address that the other machines reach it by."""
    first_port: int = FIRST_PORT
    """The first of ``PORT_COUNT`` ports."""
    temp_dir: Path
    """Ray's sessions: sockets and logs. Its path must be short, because a socket's has 107 characters at most."""


def head_command(python: str, options: RayletOptions, port: int) -> list[str]:
    """Return the command line that starts the head of a cluster, which listens on ``port``."""
    return [
        *_start(python, options),
        *("--head", "--port", str(port)),
        *("--include-dashboard", "false", "--no-monitor"),
    ]


def node_command(python: str, options: RayletOptions, address: str) -> list[str]:
    """Return the command line that joins the cluster at ``address`` (HOST:PORT)."""
    return [*_start(python, options), "--address", address]


def _start(python: str, options: RayletOptions) -> list[str]:
    first = options.first_port
    ports = {
        "--node-manager-port": first,
        "--object-manager-port": first + 1,
        "--runtime-env-agent-port": first + 2,
        "--dashboard-agent-grpc-port": first + 3,
        "--dashboard-agent-listen-port": first + 4,
        "--metrics-export-port": first + 5,
        "--min-worker-port": first + PORT_COUNT - WORKER_PORTS,
        "--max-worker-port": first + PORT_COUNT - 1,
    }
    return [
        *(python, "-m", "ray.scripts.scripts", "start", "--disable-usage-stats"),
        *("--node-ip-address", options.node_ip),
        *(word for option, port in ports.items() for word in (option, str(port))),
        # Nothing is ever scheduled there but agents, which need no processor.
        *("--num-cpus", "0", "--num-gpus", "0", "--object-store-memory", str(OBJECT_STORE_BYTES)),
        *("--include-log-monitor", "false", "--temp-dir", str(options.temp_dir)),
        *("--labels", f"{NODE_LABEL}={options.name}"),
    ]


def driver_environment(base: Mapping[str, str], token_file: Path) -> dict[str, str]:
    """Return the environment of a process that uses a cluster."""
    inherited = {name: value for name, value in base.items() if not name.startswith(_RAY_VARIABLE)}
    return inherited | {
        # Access to a cluster is the right to execute code on each of its machines.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token_file),
        "RAY_gcs_rpc_server_reconnect_timeout_s": str(RECONNECT_S),
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def raylet_environment(
    base: Mapping[str, str], token_file: Path, *, mark: str, storage: Path | None = None
) -> dict[str, str]:
    """Return the environment of ``ray start``; ``storage`` is the directory of what a head has to remember."""
    environment = driver_environment(base, token_file) | {
        # Else Ray kills processes while a model fills the memory.
        "RAY_memory_monitor_refresh_ms": "0",
        # Else an actor without GPUs, and what it starts, sees none.
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        # Else the titles of Ray's processes overwrite their environment, and with it the mark.
        "SPT_NOENV": "1",
        MARK_VARIABLE: mark,
    }
    if storage is not None:
        environment |= {"RAY_gcs_storage": "rocksdb", "RAY_gcs_storage_path": str(storage)}
    return environment


def user_environment(raylet: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that a user started a raylet with, from that of the raylet, without what Ray needs.

    The environment of an actor is another one: Ray sets, for example, ``OMP_NUM_THREADS=1`` there, which would make
    engines slow.
    """
    return {
        name: value
        for name, value in raylet.items()
        if not name.startswith(_RAY_VARIABLE) and name not in _SET_BY_RAY
    }
