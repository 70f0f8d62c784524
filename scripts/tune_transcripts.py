"""Write the transcripts of docs/tune.md, and docs/tune.svg: ``gglib tune`` with the starter model in a real terminal.

Needs tmux, and the starter model. Each width is a measurement of its own, so the figures differ.
"""

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.swap import starter
from scripts.marked_text import with_marked
from scripts.terminal_transcripts import MODEL, POLL_S, Line, Tmux

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, PLOT = DOCS / "tune.md", DOCS / "tune.svg"
BEGIN, END = "<!-- transcripts: written by `make tune-transcripts` -->", "<!-- end of transcripts -->"
WIDTHS = (80, 100, 140)
OPTIONS = "--ctx 2048 --quick --rounds 5 --only threads,kv --prompt-tokens 160 --tokens 16"
LIMIT_S = 1800.0
DONE = re.compile(r"^exit code \d+$", re.MULTILINE)


def main() -> None:
    """Measure, and write the page and the plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="the file of the starter model, instead of fetching it")
    parser.add_argument("--options", default=OPTIONS, help="of gglib tune")
    options = parser.parse_args()
    if shutil.which("tmux") is None:
        sys.exit("Not installed: tmux.")
    with tempfile.TemporaryDirectory(prefix="gglib-tune-", ignore_cleanup_errors=True) as directory:
        text = transcripts(Path(directory), options.model, options.options)
    PAGE.write_text(with_marked(PAGE.read_text(encoding="utf-8"), BEGIN, END, text), encoding="utf-8")


def transcripts(directory: Path, model: Path | None, options: str) -> str:
    """Return the transcripts; the widest one writes the plot."""
    home = directory / "user"
    home.mkdir()
    environment = {
        "HOME": str(home),
        "PATH": f"{_program(directory).parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
    }
    model = model or asyncio.run(starter())
    subprocess.run(
        ["gglib", "add", str(model), "--name", MODEL], env=environment, check=True, stdout=subprocess.DEVNULL
    )
    machine = f"{os.cpu_count()} cores without a GPU, beside other programs"
    parts = [
        f"Written by `make tune-transcripts`: SmolLM2-135M (Q4_1) on {machine}. Each width is measured anew."
    ]
    for columns in WIDTHS:
        commands = [f"gglib tune {MODEL} {options} --dry-run"]
        if columns == WIDTHS[-1]:
            commands = [
                f"gglib set {MODEL} --engine-args '--threads 1'",
                f"gglib tune {MODEL} {options} --svg tune.svg",
            ]
        shown = "\n".join(
            f"$ {command}\n{_output(Tmux(directory / f'{columns}-{number}', environment, home), columns, command)}"
            for number, command in enumerate(commands)
        )
        shown = shown.replace(str(home), "~")
        assert str(directory) not in shown, shown
        assert sys.prefix not in shown, shown
        parts.append(f"{columns} columns:\n\n```\n{shown}\n```")
        print(f"{columns} columns", file=sys.stderr)
    PLOT.write_bytes((home / "tune.svg").read_bytes())
    parts.append("The plot of the last one:\n\n![Bars of the seconds of a turn for each try](tune.svg)")
    return "\n\n".join(parts)


def _output(tmux: Tmux, columns: int, command: str) -> str:
    """Return what a terminal of this width shows of a command. Each one has a tmux of its own, which has ended."""
    with tmux.pane("bash", columns):
        tmux.perform(Line(f"clear; {command}; echo exit code $?", is_awaited=False))
        deadline_s = time.monotonic() + LIMIT_S
        while not DONE.search(shown := tmux.shown()):
            if time.monotonic() > deadline_s:
                sys.exit(f"The command has not ended:\n{shown}")
            time.sleep(POLL_S)
    return DONE.split(shown)[0].strip("\n")


def _program(directory: Path) -> Path:
    """Return a program ``gglib`` of this interpreter: its messages name it so."""
    program = directory / "bin" / "gglib"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom gglib.cli import main\nmain()\n")
    program.chmod(0o755)
    return program


if __name__ == "__main__":
    main()
