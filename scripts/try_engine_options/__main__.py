"""Runs the trials on one engine and prints a table, or writes it as JSON for the page of results.

``python -m scripts.try_engine_options embedded --json embedded.json``, the same with the path of a llama-server, then
``python -m scripts.try_engine_options.page embedded.json server.json > bench/results/engine-options.md``.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.try_engine_options.effects import Observation, effect
from scripts.try_engine_options.launches import Engine, Files, observe
from scripts.try_engine_options.trials import Model, trials

from gglib.runtime.engines import EmbeddedEngine, LlamaServerEngine


def main() -> int:
    """Run the trials; exit with 1 if an accepted option failed the load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", help="'embedded', or the path of a llama-server")
    parser.add_argument("--option", default="", help="only options that contain this text")
    parser.add_argument("--label", help="name of the engine in the results")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as directory, _rpc_server(options.engine) as rpc:
        engine, files = _engine(options.engine), Files.written(Path(directory))
        baselines: dict[Model, list[Observation]] = {}
        for trial in trials():
            if options.option not in trial.option.name:
                continue
            if trial.model not in baselines:
                baselines[trial.model] = [observe(engine, files, (), trial.model) for _ in range(2)]
            arguments = files.arguments(trial.arguments, rpc)
            found = effect(observe(engine, files, arguments, trial.model), baselines[trial.model], arguments)
            rows.append(
                {
                    "option": trial.option.name,
                    "arguments": trial.shown,
                    "effect": found.replace(directory, ""),
                }
            )
            print(f"{trial.shown:<60} {found}", flush=True)
    if options.json is not None:
        options.json.write_text(
            json.dumps({"engine": options.label or engine.description, "rows": rows}, indent=1) + "\n"
        )
    return any(row["effect"].startswith("FAILED") for row in rows)


def _engine(text: str) -> Engine:
    if text == "embedded":
        return EmbeddedEngine(reason="")
    return LlamaServerEngine(Path(text).absolute(), reason="")


@contextmanager
def _rpc_server(engine: str) -> Iterator[str]:
    """Run llama.cpp's RPC server beside the binary, if it is there; yield its address."""
    program = Path(engine).with_name("ggml-rpc-server")
    if not program.is_file():
        yield "127.0.0.1:1"
        return
    process = subprocess.Popen(
        [program, "--host", "127.0.0.1", "--port", "50952"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield "127.0.0.1:50952"
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
