"""The command lines and the environment of Ray's processes."""

from itertools import pairwise
from pathlib import Path

import pytest

from gglib.nodes.ray.environment import (
    FIRST_PORT,
    MARK_VARIABLE,
    PORT_COUNT,
    RayletOptions,
    driver_environment,
    head_command,
    node_command,
    raylet_environment,
    user_environment,
)

OPTIONS = RayletOptions(name="box", node_ip="10.0.0.2", temp_dir=Path("/tmp/r"))  # noqa: S108 - not used
TOKEN = Path("/home/u/token")


def values(command: list[str]) -> dict[str, str]:
    """Return the options of a command line."""
    return dict(pairwise(command))


class TestCommands:
    def test_all_ports_are_known_before_the_start(self) -> None:
        """So that a firewall can be opened; each is used once."""
        given = values(node_command("python", OPTIONS, "10.0.0.1:6379"))
        ports = [int(value) for option, value in given.items() if option.endswith("-port")]
        assert len(set(ports)) == len(ports) == 8
        assert all(FIRST_PORT <= port < FIRST_PORT + PORT_COUNT for port in ports)

    def test_a_node_joins_by_the_address_of_the_head(self) -> None:
        """Under its own address and name."""
        given = values(node_command("python", OPTIONS, "10.0.0.1:6379"))
        assert given["--address"] == "10.0.0.1:6379"
        assert given["--node-ip-address"] == "10.0.0.2"
        assert given["--labels"] == "gglib-node=box"
        assert "--head" not in given

    def test_a_head_has_no_dashboard(self) -> None:
        """And schedules nothing on its machine."""
        given = values(head_command("python", OPTIONS, 6379))
        assert (given["--port"], given["--include-dashboard"], given["--num-cpus"]) == ("6379", "false", "0")


class TestEnvironments:
    def test_a_token_is_always_required(self) -> None:
        """Whatever the user's environment says."""
        base = {"PATH": "/bin", "RAY_AUTH_MODE": "disabled", "RAY_ADDRESS": "elsewhere"}
        for environment in (driver_environment(base, TOKEN), raylet_environment(base, TOKEN, mark="m")):
            assert environment["RAY_AUTH_MODE"] == "token"
            assert environment["RAY_AUTH_TOKEN_PATH"] == str(TOKEN)
            assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
            assert environment["PATH"] == "/bin"
            assert "RAY_ADDRESS" not in environment

    @pytest.mark.parametrize("storage", [None, Path("/home/u/gcs")])
    def test_only_a_head_has_storage(self, storage: Path | None) -> None:
        """It remembers the nodes over a restart."""
        environment = raylet_environment({}, TOKEN, mark="m", storage=storage)
        assert environment.get("RAY_gcs_storage_path") == (None if storage is None else str(storage))
        assert environment.get("RAY_gcs_storage") == (None if storage is None else "rocksdb")
        assert environment["RAY_memory_monitor_refresh_ms"] == "0"

    def test_a_gglib_gets_the_environment_of_its_user(self) -> None:
        """Without the mark: a gglib that had it would be killed with Ray's processes."""
        user = {"PATH": "/bin", "HF_TOKEN": "x", "CUDA_VISIBLE_DEVICES": "1"}
        raylet = raylet_environment(user, TOKEN, mark="m", storage=Path("/s")) | {"OMP_NUM_THREADS": "1"}
        assert raylet[MARK_VARIABLE] == "m"
        assert user_environment(raylet) == user
