"""Ends the part of this machine in a cluster, and leaves nothing of it."""

import os
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from gglib.app.cluster.exchange import exchange
from gglib.app.cluster.home import ClusterHome, ClusterPart
from gglib.app.cluster.joining import ADDRESS_SETTING, REMOVE_S
from gglib.app.cluster.served_home import KEY_NAME
from gglib.app.serving.instance import running_instance
from gglib.app.serving.stop_requests import announced_stop
from gglib.app.settings import Settings
from gglib.app.settings.config_reader import read_content
from gglib.app.settings.config_writer import remove_key, unset_setting
from gglib.app.settings.entries import KEYS
from gglib.core.errors import InvalidSettingError, NodeError
from gglib.nodes.ray.raylet import stop_ray
from gglib.runtime.local.os_processes import process_start_id, signal_group

STOP_S = 15.0
"""How long a gglib may take to stop, beside ``drain_s``."""
POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What was ended."""

    part: ClusterPart
    stopped_pid: int | None
    """The gglib that the agent had started; None: there was none."""
    still_served_pid: int | None
    """A gglib that the user started, and that goes on."""
    problem: str
    """Why the cluster may still list the node, as a sentence; else empty."""


def leave(settings: Settings) -> Left:
    """End the agent, its gglib and all of Ray's processes of this home.

    Raises ``InvalidSettingError`` if the home has no part in a cluster, and ``NodeError`` for processes that stay.
    """
    home = ClusterHome(settings.home)
    if home.read() is None:
        raise _no_part()
    with home.locked():
        part = home.read()
        if part is None:
            raise _no_part()
        return _leave(home, settings, part)


def _no_part() -> InvalidSettingError:
    return InvalidSettingError(
        "This home has no part in a cluster: 'gglib node join HOST:PORT --token-file FILE' joins one."
    )


def _leave(home: ClusterHome, settings: Settings, part: ClusterPart) -> Left:
    problem = "" if part.is_head else _remove_agent(home, part)
    # First all that could start it again.
    left = stop_ray(part.mark)
    stopped = _stop_served(home, settings)
    if left:
        raise NodeError(
            f"Processes of the cluster cannot be ended: 'kill -9 {' '.join(map(str, left))}' as root."
        )
    instance = running_instance(settings.run_dir)
    _forget(home, settings, part, keeps_key=instance is not None)
    return Left(
        part=part,
        stopped_pid=stopped,
        still_served_pid=None if instance is None else instance.pid,
        problem=problem,
    )


def _remove_agent(home: ClusterHome, part: ClusterPart) -> str:
    """Remove the agent, so that the cluster forgets the node; returns why it does not, as a sentence."""
    try:
        exchange(home, part, "remove", within_s=REMOVE_S)
    except NodeError as error:
        return (
            f"{error} The cluster lists '{part.name}' as disconnected until the node joins and leaves again."
        )
    return ""


def _stop_served(home: ClusterHome, settings: Settings) -> int | None:
    """Stop the gglib that the agent has started, with its responses in flight first; returns its process id."""
    record = home.read_serve_record()
    if record is None or process_start_id(record[0]) != record[1]:
        return None
    pid, start_id = record
    with announced_stop(settings.run_dir, pid), suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        deadline = monotonic() + settings.drain_s + STOP_S
        while process_start_id(pid) == start_id and monotonic() < deadline:
            sleep(POLL_S)
        if process_start_id(pid) == start_id:
            signal_group(pid, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
    return pid


def _forget(home: ClusterHome, settings: Settings, part: ClusterPart, *, keeps_key: bool) -> None:
    home.remove()
    shutil.rmtree(home.directory, ignore_errors=True)
    config = read_content(Path(settings.config_path))
    if config.get(ADDRESS_SETTING) == part.address and part.is_head:
        unset_setting(settings.config_path, (ADDRESS_SETTING,))
    keys = config.get(KEYS)
    if not keeps_key and isinstance(keys, dict) and KEY_NAME in keys:
        remove_key(settings.config_path, KEY_NAME)
