"""Draw docs/first-run.svg: the first commands of a new user, run in a real terminal (``make first-run-picture``).

The commands run in a pseudo-terminal with an empty home on this machine, with the default engine and registry. Their
output is drawn as a terminal renders it. The hub is a local one that has the first models by name, so that the picture
does not depend on the network; the starter model is chosen. The SVG contains no path of this machine and loads nothing.
"""

import argparse
import os
import pty
import re
import select
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from gglib.library.starter.first_models import first_models
from gglib.testing.local_hub import LocalHub

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "first-run.svg"
UP = "gglib up"
COMMANDS = ('gglib run smollm2-135m "What is the capital of France?"', "gglib ps")
"""Commands that run in a second terminal while ``gglib up`` serves."""
READY = "Ctrl-C stops everything."
ANSWERS = {"[Y/n]: ": "\n", "Number [": "1\n"}
"""What is typed at each question."""
COLUMNS, ROWS = 100, 60
LIMIT_S = 300.0
POLL_S = 0.2

THEME = TerminalTheme(
    background=(13, 17, 23),
    foreground=(230, 237, 243),
    normal=[
        *((72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34)),
        *((88, 166, 255), (188, 140, 255), (57, 197, 207), (177, 186, 196)),
    ],
)
"""A dark terminal, readable on a light and on a dark page. Each colour is red, green, blue."""
FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" class="rich-terminal" viewBox="0 0 {width} {height}" role="img"
     aria-label="gglib up and gglib run in a terminal">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px; fill: #8b949e; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's SVG template without its web font."""

_TOKEN = re.compile(r"\x1b\[(?P<arguments>[?\d;]*)(?P<final>[A-Za-z])|(?P<text>[^\x1b])", re.DOTALL)


class Screen:
    """The contents of a terminal: lines of cells, each a character and the style before it."""

    def __init__(self) -> None:
        self._lines: list[list[tuple[str, str]]] = [[]]
        self._row = self._column = 0
        self._style = ""

    def feed(self, output: str) -> None:
        """Write a program's output; raises ValueError for a sequence that gglib is not known to write."""
        for token in _TOKEN.finditer(output):
            if token["final"]:
                self._control(token["arguments"], token["final"])
            else:
                self._write(token["text"])

    def lines(self) -> list[Text]:
        """Return the lines without blanks at their ends."""
        return [Text.from_ansi("".join(style + char for style, char in line)) for line in self._lines]

    def _write(self, char: str) -> None:
        if char == "\r":
            self._column = 0
        elif char == "\n":
            self._row += 1
            self._lines.extend([] for _ in range(len(self._lines), self._row + 1))
        else:
            line = self._lines[self._row]
            line.extend(("", " ") for _ in range(len(line), self._column + 1))
            line[self._column] = (self._style, char)
            self._column += 1

    def _control(self, arguments: str, final: str) -> None:
        match final:
            case "m":
                self._style = f"\x1b[0m\x1b[{arguments}m"
            case "A":
                self._row = max(0, self._row - int(arguments or 1))
            case "K":
                self._lines[self._row] = []
            case "h" | "l":
                pass  # the cursor is shown or hidden
            case _:
                raise ValueError(f"unknown sequence: ESC [ {arguments} {final}")


def install_program(directory: Path) -> None:
    """Write the program ``gglib``: its messages name it as it was started, here by its name on the PATH."""
    program = directory / "gglib"
    program.write_text(f"#!{sys.executable}\nfrom gglib.cli import main\n\nmain()\n", encoding="utf-8")
    program.chmod(0o700)


@contextmanager
def terminal(command: str, directory: Path, hub: str) -> Iterator[tuple[int, int]]:
    """Run a command in a new pseudo-terminal, with the program and the home of ``directory``.

    Yields its pid and the master descriptor; leaving the block ends the command.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GGLIB_", "LLAMA_"))}
    environment = own | {
        "HOME": str(directory),
        "PATH": os.pathsep.join((str(directory), os.environ.get("PATH", os.defpath))),
        "TERM": "xterm-256color",
        "COLUMNS": str(COLUMNS),
        "LINES": str(ROWS),
        "HF_ENDPOINT": hub,
        "NO_PROXY": "127.0.0.1,localhost",
    }
    pid, descriptor = pty.fork()
    if pid == 0:
        program, *arguments = _words(command)
        os.execvpe(program, [program, *arguments], environment)  # noqa: S606 - the commands above, no shell
    try:
        yield pid, descriptor
    finally:
        os.kill(pid, signal.SIGINT)
        os.waitpid(pid, 0)
        os.close(descriptor)


def _words(command: str) -> list[str]:
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', command)]


def read_until(descriptor: int, last: str) -> str:
    """Return the output up to ``last`` or the end of file, answering questions by ``ANSWERS``. Raises TimeoutError."""
    output, answered = "", Counter[str]()
    deadline_s = time.monotonic() + LIMIT_S
    while not (last and last in output):
        if time.monotonic() > deadline_s:
            raise TimeoutError(output)
        if not select.select([descriptor], [], [], POLL_S)[0]:
            continue
        try:
            output += os.read(descriptor, 65536).decode(errors="replace")
        except OSError:  # Linux: the program has closed its side
            break
        for question, answer in ANSWERS.items():
            if output.count(question) > answered[question]:
                answered[question] += 1
                os.write(descriptor, answer.encode())
    return output


def first_run() -> list[Text]:
    """Run the commands, and return the lines to draw."""
    with tempfile.TemporaryDirectory() as name, LocalHub() as hub:
        install_program(Path(name))
        for model in first_models().models:
            hub.add_repository(model.repo, {f"model-{model.quantization}.gguf": b"GGUF"})
        with terminal(UP, Path(name), hub.url) as (_, server):
            lines = [prompt(UP), *screen_of(read_until(server, READY))]
            for command in COMMANDS:
                with terminal(command, Path(name), hub.url) as (_, descriptor):
                    lines += [Text(), prompt(command), *screen_of(read_until(descriptor, ""))]
    return lines


def screen_of(output: str) -> list[Text]:
    """Return what a terminal shows for an output, without empty lines at the end."""
    screen = Screen()
    screen.feed(output)
    lines = screen.lines()
    while lines and not lines[-1].plain.strip():
        lines.pop()
    return lines


def prompt(command: str) -> Text:
    """Return a command with its shell prompt."""
    return Text.assemble(("$ ", "green"), (command, "bold"))


def draw(lines: list[Text]) -> str:
    """Return the SVG."""
    console = Console(
        record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor"
    )
    for line in lines:
        console.print(line, overflow="fold", highlight=False)
    svg = console.export_svg(title="gglib", theme=THEME, code_format=FORMAT, unique_id="first-run")
    return "".join(f"{line.rstrip()}\n" for line in svg.splitlines() if line.strip())


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=PICTURE)
    options = parser.parse_args()
    options.output.write_text(draw(first_run()), encoding="utf-8")
    print(f"drawn: {options.output}")


if __name__ == "__main__":
    main()
