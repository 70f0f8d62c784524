"""Write docs/top.md: frames of ``gglib top`` while models are swapped (``make top-frames``). Needs tmux.

Three models with scripted engines share one place in memory, and several clients ask for them. The view runs in tmux at
three sizes; the page has what tmux shows.
"""

import argparse
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from scripts.terminal_transcripts import Keys, Line, Tmux, Wait

from gglib.testing import Script, install_scripted_server, write_tiny_gguf

PAGE = Path(__file__).resolve().parents[1] / "docs" / "top.md"
SIZES = ((80, 24), (100, 30), (140, 40))
MODELS = ("llama-3b", "qwen-coder-7b", "gemma-4b")
CLIENTS = (
    ("OpenAI/Python 1.99.0", "batch"),
    ("claude-cli/2.0.1", "alice"),
    ("aider/0.86", "bob"),
    ("Zed/1.2", "alice"),
    ("curl/8.5.0", "bob"),
)
"""The programs, and the names of their keys."""
KEY = "{}-has-this-key"
STORM_S = 12.0
"""From the first request to the first frame."""
LIMIT_S = 60.0
PORT = 8080
"""The port on the page."""
INTRODUCTION = """\
# `gglib top`

A live view of a running server; [commands.md](commands.md#a-live-view) describes it. The frames below are what tmux
shows while five clients ask for three models, of which one at a time is in memory. Written by `make top-frames`, with
scripted engines.
"""


def main() -> None:
    """Run the storm, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--print", action="store_true", dest="prints", help="print the page, write nothing")
    prints = parser.parse_args().prints
    if shutil.which("tmux") is None:
        sys.exit("Not installed: tmux.")
    with tempfile.TemporaryDirectory(prefix="gglib-top-") as directory:
        text = page(Path(directory))
    if prints:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")


def page(home: Path) -> str:
    """Return the page."""
    environment = {
        "HOME": str(home),
        "GGLIB_HOME": str(home),
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "PATH": f"{_program(home).parent}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
    }
    parts = [INTRODUCTION]
    with server(home, environment) as url, storm(url):
        time.sleep(STORM_S)
        for columns, rows in SIZES:
            tmux = Tmux(home / f"tmux-{columns}", environment, home)
            with tmux.pane("bash", columns, rows):
                tmux.perform(Line("clear; gglib top", is_awaited=False))
                tmux.perform(Wait("q quit"))
                time.sleep(STORM_S / 2)
                tmux.perform(Wait(r"running +\S+ s +\d\d"))
                shown = {"": tmux.screen()}
                if columns == SIZES[0][0]:
                    tmux.perform(Keys(["?"], is_awaited=False))
                    time.sleep(1)
                    shown[", the help"] = tmux.screen()
                parts += [
                    f"\n{columns} x {rows}{what}:\n\n```\n{_public(text, url)}\n```\n"
                    for what, text in shown.items()
                ]
                print(f"{columns} x {rows}", file=sys.stderr)
    return "".join(parts)


def _public(text: str, url: str) -> str:
    """Return a screen with the default port, in the same number of characters."""
    public = f"http://127.0.0.1:{PORT}"
    return text.replace(url, public.ljust(len(url)))


@contextmanager
def server(home: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run ``gglib serve`` with the models, and yield its URL."""
    script = Script(load_s=1.5, chunks=60, chunk_interval_s=0.03, lifetime_s=600.0)
    engine = install_scripted_server(home / "bin", script)
    keys = "".join(f'{name} = "{KEY.format(name)}"\n' for name in sorted({key for _, key in CLIENTS}))
    config = f'engine = "{engine}"\nport = 0\nmax_models = 1\n[api_keys]\n{keys}'
    (home / "config.toml").write_text(config, encoding="utf-8")
    (home / "config.toml").chmod(0o600)
    for name in MODELS:
        file = write_tiny_gguf(home / f"{name}.gguf")
        command = ["gglib", "add", str(file), "--name", name]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    process = subprocess.Popen(
        ["gglib", "serve"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        line = next((line for line in process.stdout if line.startswith("Listening on")), "")
        found = re.search(r"http://\S+", line)
        if found is None:
            sys.exit("The server did not start.")
        yield found[0]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


@contextmanager
def storm(url: str) -> Iterator[None]:
    """Let each client ask one model after another until the block ends; some of their requests fail."""
    stop = threading.Event()
    threads = [
        threading.Thread(
            target=_ask, args=(url, program, key, MODELS[number % 3 :] + MODELS[: number % 3], stop)
        )
        for number, (program, key) in enumerate(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _ask(url: str, program: str, key: str, models: tuple[str, ...], stop: threading.Event) -> None:
    host = urlsplit(url).netloc
    for number, model in enumerate(itertools.cycle(models)):
        if stop.is_set():
            return
        body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
        body |= {"stream": True, "x_script": {"status": 500} if number % 7 == 3 else {}}
        if number % 7 == 5:
            body["model"] = "gpt-5"
        connection = http.client.HTTPConnection(host, timeout=LIMIT_S)
        try:
            headers = {"user-agent": program, "authorization": f"Bearer {KEY.format(key)}"}
            headers |= {"content-type": "application/json"}
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            connection.getresponse().read()
        except OSError:
            time.sleep(0.2)
        finally:
            connection.close()


def _program(home: Path) -> Path:
    """Write a program ``gglib`` that runs this interpreter's package."""
    program = home / "programs" / "gglib"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom gglib.cli import main\nmain()\n", encoding="utf-8")
    program.chmod(0o755)
    return program


if __name__ == "__main__":
    main()
