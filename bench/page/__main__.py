"""What the page costs, in a real Chromium: ``python -m bench.page [--base REF]``.

- *paint*: a server with eight models in its catalogue; three routes, each visited with an empty cache and then again in
  a new tab of the same profile. The medians are those of ``--rounds`` visits.
- *size*: what a first visit transfers, what visits of all routes do, and the files of the page by group.
- *load*: eight models in memory, ``Now`` open in a tab, and five requests a second as in ``bench.page_events``:
  processor time of the server (all threads) and of Chromium, which draws without a GPU.
- *memory*: an idle server of this tree and of ``--base``, in turns.

Linux only; needs Chromium and Playwright.
"""

import argparse
import asyncio
import os
import platform
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.gate import ROOT, checked_out, git
from bench.page.browser import ROUTES, Traffic, chromium, paints, processor_s, profile, tab, visit_all
from bench.page.sizes import sizes
from bench.page_events import CASES, MODELS, SETTLE_S, body_for, keep_busy, rss_mb, server
from bench.proxies.machine import Cores, cpu_s, pss_mb
from bench.proxies.requests import PATH
from bench.proxies.sides import ask

PARTS = ("paint", "size", "load", "memory")


async def measure_paint(url: str, rounds: int) -> None:
    """Print the times of the first paints."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    async with chromium() as browser:
        for number in range(rounds + 1):
            for route in ROUTES:
                async with profile(browser) as context:
                    for cache in ("cold", "warm"):
                        async with tab(context, url, route) as page:
                            times = await paints(page)
                        if number > 0:  # the first round starts processes of the browser
                            key = f"`/#/{route}`, {cache} cache"
                            found[key, "first contentful paint"].append(times.first_ms)
                            found[key, "navigation shown"].append(times.shell_ms)
                            found[key, "heading shown"].append(times.view_ms)
    columns = ("first contentful paint", "navigation shown", "heading shown")
    rows = {row: [spread(found[row, column], 0) for column in columns] for row, _ in found}
    print_table(("ms", *columns), rows)


async def measure_size(url: str) -> None:
    """Print what visits transfer, and the sizes of the files."""
    rows = {}
    traffic = Traffic()
    async with chromium() as browser, profile(browser) as context:
        async with tab(context, url, "now", traffic) as page:
            await page.wait_for_load_state()
            rows["first visit, `/#/now`"] = traffic_cells(traffic)
            routes = await visit_all(page)
            rows[f"after all {len(routes)} routes"] = traffic_cells(traffic)
        again = Traffic()
        async with tab(context, url, "now", again) as page:
            await page.wait_for_load_state()
            rows["second visit"] = traffic_cells(again)
    print_table(("transferred, with headers", "files", "kB", "requests for data", "kB"), rows)
    groups = {name: [str(count), f"{size / 1000:.1f}"] for name, (count, size) in sizes().items()}
    print_table(("served with gzip", "files", "kB"), groups)


def traffic_cells(traffic: Traffic) -> list[str]:
    """Return the cells of a row."""
    return [
        cell
        for kind in ("files", "data")
        for cell in (str(traffic.requests[kind]), f"{traffic.received_bytes[kind] / 1000:.1f}")
    ]


async def measure_load(pid: int, port: int, seconds: float, rounds: int) -> None:
    """Print the processor time of the server and of Chromium."""
    for model in MODELS:
        await asyncio.to_thread(ask, port, "POST", PATH, body_for(model, chunks=1))
    await asyncio.sleep(2 * SETTLE_S)
    shares: dict[str, dict[str, list[float]]] = {case: defaultdict(list) for case, *_ in CASES}
    cases = [case for number in range(rounds) for case in CASES[:: 1 if number % 2 == 0 else -1]]
    async with chromium() as browser, profile(browser) as context:
        session = await browser.new_browser_cdp_session()

        async def measure(case: str, *, is_busy: bool) -> None:
            await (keep_busy(port, SETTLE_S) if is_busy else asyncio.sleep(SETTLE_S))
            before = {"server": cpu_s([pid]), **await processor_s(session)}
            began_s = time.monotonic()
            await (keep_busy(port, seconds) if is_busy else asyncio.sleep(seconds))
            took_s = time.monotonic() - began_s
            after = {"server": cpu_s([pid]), **await processor_s(session)}
            for part, used_s in after.items():
                shares[case][part].append(100 * (used_s - before[part]) / took_s)

        for case, is_watched, is_busy in cases:
            if is_watched:
                async with tab(context, f"http://127.0.0.1:{port}", "now"):
                    await measure(case, is_busy=is_busy)
            else:
                await measure(case, is_busy=is_busy)
    columns = ("server", "tabs", "all")
    rows = {case: [spread(found[part], 1) for part in columns] for case, found in shares.items()}
    print_table(("% of a core", "server", "Chromium: the tab", "Chromium: all processes"), rows)


async def measure_memory(trees: Mapping[str, Path], cores: Cores, rounds: int) -> None:
    """Print the memory of an idle server of each tree, and the difference."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(rounds):
        for name in sorted(trees, reverse=number % 2 == 1):
            with (
                tempfile.TemporaryDirectory(prefix="bench-") as directory,
                server(trees[name].resolve(), Path(directory), cores) as (pid, _),
            ):
                await asyncio.sleep(SETTLE_S)
                found["RSS", name].append(rss_mb(pid))
                found["PSS", name].append(pss_mb([pid]))
    rows = {measure: [spread(found[measure, name], 1) for name in trees] for measure in ("RSS", "PSS")}
    if "base" in trees:
        for measure, cells in rows.items():
            pairs = zip(found[measure, "tree"], found[measure, "base"], strict=True)
            cells.append(spread([tree - base for tree, base in pairs], 1))
    print_table(("idle, MB", *trees, *(("difference",) if "base" in trees else ())), rows)


def spread(values: list[float], digits: int) -> str:
    """Return the median and the range."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def print_table(head: Iterable[str], rows: Mapping[str, Iterable[str]]) -> None:
    """Print a table in Markdown."""
    title, *columns = head
    print(f"| {title} |" + "".join(f" {column} |" for column in columns))
    print("|---|" + "---:|" * len(columns))
    for name, cells in rows.items():
        print(f"| {name} |" + "".join(f" {cell} |" for cell in cells))
    print(flush=True)


def main() -> None:
    """Measure, and print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", help="commit to compare the memory with")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=10, help="of each case of the load")
    parser.add_argument("--only", choices=PARTS, action="append", help="default: all parts")
    options = parser.parse_args()
    parts = options.only or PARTS
    cores = Cores.of_this_machine()
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}; {cores}.")
    print(f"Medians of {options.rounds}, and their range. Load average before: {load}.\n")
    if {"paint", "size", "load"} & set(parts):
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as directory,
            server(ROOT, Path(directory), cores) as (pid, port),
        ):
            url = f"http://127.0.0.1:{port}"
            if "paint" in parts:
                asyncio.run(measure_paint(url, options.rounds))
            if "size" in parts:
                asyncio.run(measure_size(url))
            if "load" in parts:
                asyncio.run(measure_load(pid, port, options.seconds, options.rounds))
    if "memory" in parts and options.base:
        with checked_out(git("rev-parse", options.base)) as base:
            trees = {"base": base, "tree": ROOT}
            asyncio.run(measure_memory(trees, cores, options.rounds))
    elif "memory" in parts:
        asyncio.run(measure_memory({"tree": ROOT}, cores, options.rounds))


if __name__ == "__main__":
    main()
