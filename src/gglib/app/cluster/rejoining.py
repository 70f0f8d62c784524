"""Brings a node back into its cluster when its raylet has ended.

Ray gives a raylet up that was cut off from the head for a minute, and ends it as soon as it is back. So the agent keeps
the gglib of a node running, and the gglib keeps the raylet running, with which the agent comes back.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from gglib.app.cluster.home import ClusterHome, is_running
from gglib.core.errors import InvalidSettingError

logger = logging.getLogger("gglib.nodes")

LOOK_S = 5.0
MAX_LOOK_S = 60.0
LIMIT_S = 240.0
MODULE = "gglib.app.cluster.rejoin_command"


@asynccontextmanager
async def rejoined_when_lost(home: Path) -> AsyncIterator[None]:
    """Look after the raylet of a home during the block, if the home is a node of a cluster."""
    looking = asyncio.create_task(_look_periodically(ClusterHome(home)), name="raylet")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait([looking])


async def _look_periodically(home: ClusterHome) -> None:
    delay_s, last = LOOK_S, ""
    while True:
        await asyncio.sleep(delay_s)
        problem = await _look(home)
        if problem and problem != last:
            logger.warning("this machine is cut off from its cluster, and tries again: %s", problem)
        delay_s = min(delay_s * 2, MAX_LOOK_S) if problem else LOOK_S
        last = problem


async def _look(home: ClusterHome) -> str:
    """Join again if the home is a node without a raylet; returns why that failed, else nothing."""
    try:
        return await _rejoin(home) if await asyncio.to_thread(is_lost, home) else ""
    except OSError as error:  # such as no memory for a process: that may end
        return f"The process that joins it cannot be started ({error.strerror or error})."


def is_lost(home: ClusterHome) -> bool:
    """Whether the home is a node whose raylet does not run."""
    try:
        part = home.read()
    except InvalidSettingError:
        return False
    return part is not None and not part.is_head and not is_running(part)


async def _rejoin(home: ClusterHome) -> str:
    """Join again, in a process of its own; returns why that failed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", MODULE, str(home.home)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            _, errors = await process.communicate()
    except TimeoutError:
        return "The cluster did not answer."
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await asyncio.shield(process.wait())
    if not process.returncode:
        return ""
    lines = errors.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "Joining it failed."
