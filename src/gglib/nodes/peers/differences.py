"""Compares two snapshots of a node, without what changes all the time. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from gglib.core.memory import DeviceMemory
from gglib.core.nodes import NodeSnapshot
from gglib.core.runtime.status import RuntimeStatus

NOTABLE_SHARE = 64
"""A device whose available memory changed by more than this part of its total has changed."""


def has_changed(before: NodeSnapshot, now: NodeSnapshot) -> bool:
    """Whether a node changed in more than times, and in more than a little of its free memory."""
    return _lasting(before) != _lasting(now) or _have_devices_changed(before.devices, now.devices)


def _lasting(snapshot: NodeSnapshot) -> NodeSnapshot:
    return replace(snapshot, seen_at_s=None, devices={}, status=_without_times(snapshot.status))


def _without_times(status: RuntimeStatus) -> RuntimeStatus:
    swap = status.last_swap
    return replace(
        status,
        residents=tuple(
            replace(resident, uptime_s=None, loading_for_s=None, idle_s=None) for resident in status.residents
        ),
        remotes=tuple(replace(remote, failed_ago_s=None) for remote in status.remotes),
        waiting=tuple(replace(waiting, longest_wait_s=0.0, runs_in_s=None) for waiting in status.waiting),
        last_swap=None if swap is None else replace(swap, ago_s=0.0),
    )


def _have_devices_changed(before: Mapping[str, DeviceMemory], now: Mapping[str, DeviceMemory]) -> bool:
    return before.keys() != now.keys() or any(
        _has_memory_changed(before[name], memory) for name, memory in now.items()
    )


def _has_memory_changed(before: DeviceMemory, now: DeviceMemory) -> bool:
    if now.total_bytes is None or now.available_bytes is None or before.available_bytes is None:
        return now != before
    difference = abs(now.available_bytes - before.available_bytes)
    return now.total_bytes != before.total_bytes or difference * NOTABLE_SHARE > now.total_bytes
