"""A gglib with scripted engines in a process of its own: ``python -m tests.ray.node_program DIRECTORY``.

``DIRECTORY/models.json`` has its models and how long a load takes; ``DIRECTORY/record.json`` says where it serves.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from tests.support.gglib_node import GglibNode

from gglib.runtime.local.os_processes import process_start_id
from gglib.testing import Script

KEY = "an-admin-key-of-all-nodes"


async def main(directory: Path) -> None:
    """Serve until the process is killed."""
    models, load_s = json.loads((directory / "models.json").read_text())
    script = Script(load_s=load_s) if load_s else None
    async with GglibNode(directory / "node", *models, script=script, api_keys={"front": KEY}) as node:
        pid = os.getpid()
        draft = directory / "record.new"
        draft.write_text(json.dumps({"pid": pid, "start_id": process_start_id(pid), "url": node.url}))
        draft.replace(directory / "record.json")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
