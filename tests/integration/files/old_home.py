"""A home of a gglib that stored files in the repository's folders, with manifests beside them, not in versions.

``old_home/catalog.sql`` and ``old_home/notes.json`` are the output of that gglib; ``{HOME}`` stands for its
home. It has two quantizations with one projector, a model in one file, a removed model whose file stayed, a
file of the user's, and an unfinished pull of two shards, the first of them complete.
"""

import json
import os
import sqlite3
from pathlib import Path

from . import tiny
from .world import BIG, SHARDS, VISION, Home

_FIXTURES = Path(__file__).with_name("old_home")
OWN = {
    f"models/{VISION}/eyes-Q4_K_M.gguf": tiny.model("q4 1"),
    f"models/{VISION}/eyes-Q8_0.gguf": tiny.model("q8 1"),
    f"models/{VISION}/mmproj-F16.gguf": tiny.projector("mmproj 1"),
    "models/ada/one-GGUF/one-Q4_K_M.gguf": tiny.model("one"),
    "models/ada/gone-GGUF/gone-Q4_K_M.gguf": tiny.model("gone"),
    f"models/{BIG}/{SHARDS[0]}": tiny.model("shard 0 1", shard=(0, 2)),
}
"""The files that it wrote, by their paths in the home."""
USERS = {"mine.gguf": tiny.model("mine"), f"models/{VISION}/notes.gguf": tiny.model("notes")}
"""The user's files; the first is in the catalogue."""


def build(home: Home) -> None:
    """Create the home in the state in which that gglib left it."""
    home.path.mkdir(mode=0o700)
    (home.models / ".pulls").mkdir(parents=True)
    (home.models / ".written").mkdir()
    for name, content in {**OWN, **USERS}.items():
        path = home.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    records = json.loads((_FIXTURES / "notes.json").read_text())
    for name, record in records.items():
        if "/.written/" in f"/{name}":
            os.utime(home.models / record["path"], ns=(record["changed_ns"], record["changed_ns"]))
        text = json.dumps(record).replace("{HOME}", str(home.path))
        (home.path / name).write_text(text)
    connection = sqlite3.connect(home.database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript((_FIXTURES / "catalog.sql").read_text().replace("{HOME}", str(home.path)))
    connection.close()
    home.database.chmod(0o600)
