"""Installs a scripted llama-server where a program looks for the real one."""

import sys
from pathlib import Path

from gglib.testing.scripted_server.script import Script

NAME = "llama-server"

# -I -S: the environment and site-packages do not affect imports, and the start takes half the time.
_LAUNCHER = """\
#!{python} -IS
import sys

sys.path.insert(0, {source!r})

from gglib.testing.scripted_server.process import main

main(sys.argv[1:], {script!r})
"""


def install_scripted_server(directory: str | Path, script: Script | None = None) -> Path:
    """Write an executable ``llama-server`` that follows ``script`` into ``directory`` and return its path.

    Installing again replaces the script for the next start; running processes keep theirs. Raises ``ValueError`` if the
    interpreter's path is not valid in a shebang line.
    """
    if " " in sys.executable:
        raise ValueError(
            "The path of the Python interpreter has a space, which a shebang line cannot contain."
        )
    source = str(Path(__file__).resolve().parents[3])
    text = _LAUNCHER.format(python=sys.executable, source=source, script=(script or Script()).to_json())
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    draft = directory / f".{NAME}.new"
    draft.write_text(text, encoding="utf-8")
    draft.chmod(0o755)
    return draft.replace(directory / NAME)
