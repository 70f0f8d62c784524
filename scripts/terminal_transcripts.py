"""Write docs/terminal.md: what a user sees in a real terminal (``make terminal-transcripts``).

Needs tmux, zsh and fish. Each scene runs in tmux at 80, 100 and 140 columns, against a server with the starter model in
an empty home. The page has what tmux shows after the last step, with the lines that have scrolled away.
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "terminal.md"
WIDTHS = (80, 100, 140)
ROWS = 50
MODEL = "smollm2-135m"
LIMIT_S = 120.0
POLL_S = 0.1
SETTLED_S = 1.0
"""A screen without change for this time is complete."""
CHANGE_S = 8.0
"""Longest wait for the effect of a key: a busy machine takes seconds to complete a word, and some keys have none."""
PROMPT_ENDS = ("\n$", "\n>>>")
"""Ends of a screen after a command, in the shells and in a chat: a prompt in a line of its own."""
INTRODUCTION = f"""\
# In the terminal

Written by `make terminal-transcripts`: what tmux shows, by its width in columns. The home, `~`, has the starter model,
and a server runs. `{MODEL}` is a small model: its answers are short and often wrong.
"""
PASTED = "Which of these is a fruit?\n- a hammer\n- an apple\n- a stone\nAnswer with one word."


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys by tmux's names, such as ``Tab`` and ``C-c``."""

    names: Sequence[str]
    is_awaited: bool = True
    """Whether to wait until the screen is complete."""


@dataclass(frozen=True, slots=True)
class Paste:
    """A text that is pasted; bracketed if the program has asked for that."""

    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A text that is typed, with Enter."""

    text: str
    is_awaited: bool = True
    """Whether to wait for the next prompt."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Waits for a pattern on the screen, then goes on at once."""

    pattern: str


Step = Keys | Paste | Line | Wait


@dataclass(frozen=True, slots=True)
class Scene:
    """One part of the page."""

    title: str
    steps: Sequence[Step]
    shell: str = "bash"


CHAT = f"gglib run {MODEL} --temperature 0 --max-tokens 60"
COMPLETION = (
    Line("gglib completion {shell} > completion; . ./completion"),
    Line("clear"),
    *(Paste("gglib sh"), Keys(["Tab"]), Keys(["Tab"]), Paste("smol"), Keys(["Tab"]), Keys(["Enter"])),
    Wait(r"SHA-256:.*\n\$$"),
    *(Paste("gglib serve --log-l"), Keys(["Tab"]), Keys(["C-c"])),
    *(Paste("gglib pull Qwen/Qwen2.5-7B-Instruct-GGUF:Q4_K_"), Keys(["Tab"]), Keys(["Tab"]), Keys(["C-c"])),
)
SCENES = (
    Scene(
        "A prompt and a pipe", (Line(f"seq 5 | gglib run {MODEL} --temperature 0 --max-tokens 30 'Add up:'"),)
    ),
    Scene(
        "Text of several lines, pasted",
        (Line(CHAT), Wait(">>>"), Paste(PASTED), Keys(["Enter"]), Wait(r"(?s)one word.*\n>>>"), Line("/bye")),
    ),
    Scene(
        "Commands in a chat",
        (
            *(Line(CHAT), Wait(">>>"), Line("/?"), Line("/set"), Line("/set temperature 0.2")),
            *(Line("/claer"), Line("/bye")),
        ),
    ),
    Scene(
        "Ctrl-C ends an answer, and asks at the prompt",
        (
            *(
                Line(f"gglib run {MODEL}"),
                Wait(">>>"),
                Line("Write a long story about the sea.", is_awaited=False),
                Wait(r"sea\.\n\S.*\n.*\w"),
            ),
            *(
                Keys(["C-c"]),
                Wait(r"goes on\)\n+>>>"),
                Keys(["C-c"]),
                Wait(r"leaves\)\n>>>"),
                Keys(["C-c"]),
                Wait(r"\n\$$"),
            ),
        ),
    ),
    Scene("Lists", (Line("gglib ls"), Line("gglib ps"), Line("gglib show smol"))),
    Scene("A misspelt command", (Line("gglib lst"), Line("gglib shwo"), Line("GGLIB_MAX_MODLES=3 gglib ls"))),
    Scene("The settings", (Line("gglib config"),)),
    Scene("A second start", (Line("gglib up"), Line("echo $?"))),
    *(Scene(f"Completion in {shell}", COMPLETION, shell) for shell in ("bash", "zsh", "fish")),
)
SHELLS = {
    "bash": "bash --norc --noprofile",
    "zsh": "zsh -f",
    "fish": "fish --no-config",
}
SET_UP = {
    "bash": "PS1='$ '",
    "zsh": "PS1='$ '; autoload -Uz compinit; compinit -D",
    "fish": "function fish_prompt; echo -n '$ '; end; set -g fish_greeting",
}


class Tmux:
    """A tmux server of its own, with one pane."""

    def __init__(self, socket: Path, environment: dict[str, str], directory: Path) -> None:
        self._socket = socket
        self._environment = environment
        self._directory = directory

    @contextmanager
    def pane(self, shell: str, columns: int, rows: int = ROWS) -> Iterator[None]:
        """Run a shell in a pane of this size."""
        self._run("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), SHELLS[shell])
        try:
            self._run("set-option", "-g", "history-limit", "5000")
            self.perform(Line(SET_UP[shell]))
            self.perform(Line("clear"))
            yield
        finally:
            self._run("kill-server")

    def perform(self, step: Step) -> None:
        """Do one step, and wait until the screen is complete."""
        match step:
            case Keys(names, is_awaited):
                before = self.shown()
                self._run("send-keys", *names)
                if not is_awaited:
                    return
                self._wait_until(lambda: self.shown() != before, CHANGE_S)
            case Line(text, is_awaited):
                before = self.shown()
                self._run("send-keys", "-l", text)
                self._run("send-keys", "Enter")
                if not is_awaited:
                    return
                if not self._wait_until(lambda: self._has_prompt(before), LIMIT_S):
                    raise SystemExit(f"There is no prompt after {text!r}:\n{self.shown()}")
            case Paste(text):
                self._run("set-buffer", text)
                self._run("paste-buffer", "-p")
            case Wait(pattern):
                self._wait_for(re.compile(pattern))
                return
        self._settle()

    def shown(self) -> str:
        """Return the screen and what has scrolled away."""
        lines = self._run("capture-pane", "-p", "-S", "-").splitlines()
        return "\n".join(line.rstrip() for line in lines).strip("\n")

    def screen(self) -> str:
        """Return the screen alone."""
        return "\n".join(line.rstrip() for line in self._run("capture-pane", "-p").splitlines())

    def _has_prompt(self, before: str) -> bool:
        """Whether a prompt has followed the screen ``before``."""
        shown = self.shown()
        return shown != before and f"\n{shown}".endswith(PROMPT_ENDS)

    def _wait_for(self, pattern: re.Pattern[str]) -> None:
        if not self._wait_until(lambda: pattern.search(self.shown()) is not None, LIMIT_S):
            raise SystemExit(f"{pattern.pattern!r} is not shown:\n{self.shown()}")

    def _wait_until(self, is_done: Callable[[], bool], limit_s: float) -> bool:
        """Return whether a condition of the screen has come true within ``limit_s``."""
        deadline_s = time.monotonic() + limit_s
        while not is_done():
            if time.monotonic() > deadline_s:
                return False
            time.sleep(POLL_S)
        return True

    def _settle(self) -> None:
        deadline_s, last, since_s = time.monotonic() + LIMIT_S, "", time.monotonic()
        while time.monotonic() < deadline_s:
            now = self.shown()
            if now != last:
                last, since_s = now, time.monotonic()
            elif time.monotonic() - since_s > SETTLED_S:
                return
            time.sleep(POLL_S)

    def _run(self, *arguments: str) -> str:
        command = ("tmux", "-S", str(self._socket), *arguments)
        return subprocess.run(
            command, env=self._environment, cwd=self._directory, check=True, capture_output=True, text=True
        ).stdout


def main() -> None:
    """Run the scenes, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", help="scenes whose title contains this text; prints them and writes nothing"
    )
    only = parser.parse_args().only
    if missing := [name for name in ("tmux", "zsh", "fish") if shutil.which(name) is None]:
        sys.exit(f"Not installed: {', '.join(missing)}.")
    scenes = [scene for scene in SCENES if only is None or only in scene.title]
    with tempfile.TemporaryDirectory(prefix="gglib-terminal-") as directory:
        text = page(scenes, Path(directory))
    if only is None:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text)


def page(scenes: Sequence[Scene], directory: Path) -> str:
    """Return the page."""
    home = directory / "user"
    home.mkdir()
    environment = {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
    }
    parts = [INTRODUCTION]
    with server(environment, home):
        for scene in scenes:
            parts.append(f"\n## {scene.title}\n")
            for columns in WIDTHS:
                tmux = Tmux(directory / f"tmux-{len(parts)}", environment, home)
                with tmux.pane(scene.shell, columns):
                    for step in scene.steps:
                        tmux.perform(
                            replace(step, text=step.text.format(shell=scene.shell))
                            if isinstance(step, Line)
                            else step
                        )
                    shown = tmux.shown()
                assert str(directory) not in shown.replace(str(home), "~"), shown
                parts.append(f"\n{columns} columns:\n\n```\n{shown.replace(str(home), '~')}\n```\n")
                print(f"{scene.title}, {columns} columns", file=sys.stderr)
    return "".join(parts)


@contextmanager
def server(environment: dict[str, str], home: Path) -> Iterator[None]:
    """Run ``gglib up`` with the starter model, until its test has been answered."""
    command = shlex.split("gglib up --yes --port 0")
    log = home / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=home, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        deadline_s = time.monotonic() + LIMIT_S
        while "Ctrl-C" not in log.read_text():
            if process.poll() is not None or time.monotonic() > deadline_s:
                sys.exit(log.read_text())
            time.sleep(POLL_S)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


if __name__ == "__main__":
    main()
