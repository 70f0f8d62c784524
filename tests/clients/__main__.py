"""Run real client programs against a real gglib server: ``python -m tests.clients`` (``make test-clients``).

Each client is installed from its registry into an environment of its own, once. A client that cannot be installed is
left out, with the reason; the exit code is 1 only if a case failed twice.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.clients.environments import Made, Maker
from tests.clients.outcomes import Row, exit_code, page, summary
from tests.clients.run import Runner
from tests.clients.table import CASES, CLIENTS, ENVIRONMENTS, Client

from gglib.library.starter import StarterError

ROOT = Path(__file__).resolve().parents[2]
RUN_SHARE = 0.6
"""Of the time limit, kept for running what is installed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Install, run, print the page, and return the exit code."""
    options = parse(arguments)
    started_s = time.monotonic()
    clients = chosen(options.only, options.api)
    needed = {client.environment for client in clients}
    cache = Path(os.environ.get("CLIENTS_CACHE") or ROOT / ".cache" / "clients")
    cache.mkdir(parents=True, exist_ok=True)
    limit_s = options.limit_min * 60
    maker = Maker(cache, started_s + limit_s * (1 - RUN_SHARE), on_made=report_made)
    made = maker.make_all([environment for environment in ENVIRONMENTS if environment.name in needed])
    if options.install_only:
        return 0
    with tempfile.TemporaryDirectory(prefix="clients-") as work:
        runner = Runner(cache, Path(work), started_s + limit_s, on_row=report_row)
        try:
            rows = runner.run_all(clients, options.cases, made)
            rows = with_second_try(rows, clients, lambda failed: runner.run_all(failed, options.cases, made))
        except StarterError as error:
            print(f"clients: not run: {error}")
            return 0
    facts = f"gglib in this repository, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    text = page(rows, date=f"{datetime.now(UTC):%Y-%m-%d}", cases=CASES, facts=facts)
    print(text)
    if options.write is not None:
        options.write.write_text(text, encoding="utf-8")
    print(summary(rows))
    return exit_code(rows)


def with_second_try(
    rows: Sequence[Row], clients: Sequence[Client], run: Callable[[Sequence[Client]], Sequence[Row]]
) -> list[Row]:
    """Run the clients with failures once more, and return their second rows instead of the first.

    The programs of others fail by themselves now and then. Both tries are printed.
    """
    failed = {row.client for row in rows if row.failures}
    if not failed:
        return list(rows)
    print(f"second try: {', '.join(sorted(failed))}", flush=True)
    again = {row.client: row for row in run([client for client in clients if client.name in failed])}
    return [again.get(row.client, row) for row in rows]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="tests.clients", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--only", type=_words, default=(), metavar="NAMES", help="clients whose names begin with one of these"
    )
    parser.add_argument(
        "--api", type=_words, default=(), metavar="APIS", help="chat,responses,anthropic,ollama"
    )
    parser.add_argument("--cases", type=_words, default=CASES, help=f"some of {','.join(CASES)}")
    parser.add_argument(
        "--limit-min", type=float, default=60.0, help="minutes, installing included (default 60)"
    )
    parser.add_argument("--install-only", action="store_true", help="make the environments, and run nothing")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page to this file, too")
    options = parser.parse_args(arguments)
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"unknown cases: {', '.join(sorted(unknown))}")
    if not chosen(options.only, options.api):
        parser.error("no client has such a name and API")
    return options


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)


def chosen(names: Sequence[str], apis: Sequence[str]) -> list[Client]:
    """Return the clients whose name begins with one of ``names`` and that speak one of ``apis``; empty: all."""
    return [
        client
        for client in CLIENTS
        if (not names or client.name.startswith(tuple(names))) and (not apis or client.dialect in apis)
    ]


def report_made(made: Made) -> None:
    """Print the result of an installation."""
    said = f"not installed: {made.reason}" if made.reason else "ready"
    print(f"{made.name}: {said} ({made.seconds:.0f} s)", flush=True)


def report_row(row: Row) -> None:
    """Print the results of a client."""
    if row.reason:
        print(f"{row.client}: {row.reason}", flush=True)
        return
    results = " ".join(f"{outcome.case}={outcome.result}" for outcome in row.outcomes)
    print(f"{row.client}: {results} ({row.seconds:.0f} s)", flush=True)
    for outcome in row.failures:
        print(f"  {outcome.case}: {outcome.detail}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
