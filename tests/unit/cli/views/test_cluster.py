"""Describes a cluster."""

from typing import Any

import pytest

from gglib.cli.views.cluster import join_lines, member_failures, member_rows, member_state, port_line

REPORT = {
    "url": "http://10.0.0.2:8080",
    "version": "0.1.0",
    "ray": "2.60.0",
    "python": "3.11.7",
    "failure": "",
}
STARTING = {**REPORT, "url": None, "failure": "The port is in use."}


def member(report: dict[str, Any] | None, *, is_connected: bool = True) -> dict[str, Any]:
    """Return a node as the cluster says it."""
    return {"name": "box", "address": "10.0.0.2", "is_connected": is_connected, "report": report}


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (member(REPORT), "serves"),
        (member(STARTING), "starts"),
        (member(None), "no agent"),
        (member(REPORT, is_connected=False), "disconnected"),
    ],
)
def test_states(found: dict[str, Any], state: str) -> None:
    """One or two words."""
    assert member_state(found) == state


def test_rows() -> None:
    """What is not known is a dash."""
    assert member_rows([member(REPORT), {**member(None), "address": ""}]) == [
        ("box", "10.0.0.2", "serves", "http://10.0.0.2:8080", "0.1.0", "2.60.0", "3.11.7"),
        ("box", "-", "no agent", "-", "-", "-", "-"),
    ]


def test_failures_name_their_node() -> None:
    """The others have none."""
    found = member_failures([member(REPORT), member(None), member(STARTING)])
    assert found == ["Node 'box': The port is in use."]


def test_the_command_for_other_machines() -> None:
    """It can be typed as it stands."""
    lines = join_lines("10.0.0.1:6379", "/home/u/token", "Ports.")
    assert "  gglib node join --token-file token 10.0.0.1:6379" in lines
    assert lines[-1] == "Ports."


def test_ports() -> None:
    """Of a head, and of a node."""
    assert port_line(6400, 6439, head_port=6379, gglib_port=None).endswith(": 6379, 6400 to 6439.")
    assert port_line(6400, 6439, head_port=None, gglib_port=8080).endswith(": 8080, 6400 to 6439.")
