"""Why a machine cannot take part in a cluster."""

import pytest

from gglib.nodes.ray.versions import INSTALL_COMMAND, start_failure, unavailable

MISMATCH = """RuntimeError: Version mismatch: The cluster was started with:
    Ray: 2.60.0
    Python: 3.11.7
This process on node 10.0.0.2 was started with:
    Ray: 2.59.1
    Python: 3.12.1
"""


class TestUnavailable:
    def test_linux_with_ray(self) -> None:
        """Nothing is missing."""
        assert unavailable("Linux", is_installed=True) is None

    def test_another_system(self) -> None:
        """Nodes by address work everywhere."""
        assert "gglib node add URL" in (unavailable("Darwin", is_installed=True) or "")

    def test_without_ray(self) -> None:
        """The sentence has the command that installs it."""
        assert (unavailable("Linux", is_installed=False) or "").endswith(INSTALL_COMMAND)


class TestStartFailure:
    @pytest.mark.parametrize(
        ("output", "words"),
        [
            (
                "Unauthenticated: RPC error: InvalidAuthToken: Authentication token is missing",
                "refuses the token",
            ),
            (
                "rpc_client.h:153: Failed to connect to GCS at address 10.0.0.1:6379 within 5 s",
                "cannot be reached",
            ),
            ("TimedOut: Timed out while waiting for GCS to become available.", "cannot be reached"),
            ("bind: Address already in use", "those from 6400"),
            ("Exception: The current node timed out during startup.", "ports than those from 6400"),
            (MISMATCH, "has Ray 2.60.0 and Python 3.11.7, this machine Ray 2.59.1 and Python 3.12.1"),
            ("RuntimeError: Version mismatch: elsewhere", "the same on both"),
        ],
    )
    def test_a_failure_is_one_sentence(self, output: str, words: str) -> None:
        """It says what to do."""
        failure = start_failure(f"INFO Local node IP: 10.0.0.2\n{output}", "10.0.0.1:6379", 6400)
        assert failure is not None
        assert words in failure
        assert "\n" not in failure

    def test_nothing_is_wrong_yet(self) -> None:
        """Other output says nothing."""
        assert start_failure("SUCC Ray runtime started.\n", "10.0.0.1:6379", 6400) is None
