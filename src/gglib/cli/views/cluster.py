"""Describes a cluster (``gglib cluster``, ``gglib node join``). Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from gglib.core.shell_quoting import shell_command

COLUMNS = ("NAME", "ADDRESS", "STATE", "GGLIB", "VERSION", "RAY", "PYTHON")
DROPPABLE = ("PYTHON", "RAY", "VERSION")
STATE_STYLES = {"serves": "green", "starts": "yellow", "no agent": "yellow", "disconnected": "red"}
NO_MEMBERS = "The cluster has no nodes yet: 'gglib cluster init' prints the command for other machines."


def member_state(member: Mapping[str, Any]) -> str:
    """Return the state of a node, one or two words."""
    if not member["is_connected"]:
        return "disconnected"
    report = member["report"]
    if report is None:
        return "no agent"
    return "serves" if report["url"] else "starts"


def member_rows(members: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return a row for each node."""
    return [_row(member) for member in members]


def _row(member: Mapping[str, Any]) -> tuple[str, ...]:
    report = member["report"] or {}
    values = (report.get(field) or "-" for field in ("url", "version", "ray", "python"))
    return (member["name"], member["address"] or "-", member_state(member), *values)


def member_failures(members: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the sentence of each node that has one."""
    return [
        f"Node '{member['name']}': {member['report']['failure']}"
        for member in members
        if member["report"] is not None and member["report"]["failure"]
    ]


def join_lines(address: str, token_file: str, ports: str) -> list[str]:
    """Return what to do on the other machines."""
    return [
        f"Copy the token {token_file} to each other machine, and type there:",
        f"  {shell_command('node', 'join', '--token-file', 'token', address)}",
        "The token is the right to run programs on all machines of the cluster: keep it as a password.",
        ports,
    ]


def port_line(first_port: int, last_port: int, *, head_port: int | None, gglib_port: int | None) -> str:
    """Return the sentence about the firewall of this machine."""
    numbers = [str(port) for port in (head_port, gglib_port) if port is not None]
    listed = ", ".join([*numbers, f"{first_port} to {last_port}"])
    return f"Ports of this machine for the other machines: {listed}."
