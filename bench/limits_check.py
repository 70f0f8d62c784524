"""Whether the limits of keys hold under load: ``python -m bench.limits_check``.

One gglib serves one tiny model to 50 clients with three keys. Each client sends one chat after the other; refused ones
are sent again, by every second client after ``retry-after-ms`` and by the others at once. At the end each window of 60
seconds is verified by what the clients have seen: a request was admitted between its sending and the head of its
response, so those whose both times are in a window were admitted in it; tokens likewise, until the end of the response.
The requests of a key in progress are sampled from ``GET /gglib/keys``. Exits with 1 if a limit was exceeded, or if
fewer requests were admitted than ``rpm`` allows. ``--seconds`` is the duration, at least two minutes for a full check.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from bench.priorities import add_model
from bench.swap import served

from gglib.core.api_keys import KeyLimits

CLIENTS = 50
WINDOW_S = 60.0
MAX_TOKENS = 8
IMPATIENT_S = 0.05
SAMPLE_S = 0.02
LIMITS = {
    "alice": KeyLimits(rpm=60),
    "bob": KeyLimits(rpm=300, parallel=3),
    "carol": KeyLimits(tpm=6000, parallel=8),
}
ADMIN = "root"


@dataclass(frozen=True, slots=True)
class Seen:
    """One admitted request. Times in seconds of the clients' clock."""

    sent_s: float
    answered_s: float
    """When the head of its response had arrived."""
    ended_s: float
    tokens: int
    """Prompt and completion, as reported."""


@dataclass(slots=True)
class KeyRun:
    """What the clients of one key have seen."""

    limits: KeyLimits
    admitted: list[Seen] = field(default_factory=list)
    refused: int = 0
    most_at_once: int = 0
    other_statuses: list[int] = field(default_factory=list)


def most_in_window(spans: Sequence[tuple[float, float, int]]) -> int:
    """Return the largest sum of amounts whose first and last time are both in a window of 60 seconds."""
    ordered = sorted(spans)
    starts = [start_s for start_s, _, _ in ordered]
    return max(
        (
            sum(
                amount
                for _, last_s, amount in ordered[index : bisect_left(starts, start_s + WINDOW_S)]
                if last_s < start_s + WINDOW_S
            )
            for index, start_s in enumerate(starts)
        ),
        default=0,
    )


def violations(run: KeyRun, seconds: float) -> list[str]:
    """Return a phrase for each limit that did not hold, and for requests that were refused without a reason."""
    found, limits = [], run.limits
    requests, tokens = most_requests(run), most_tokens(run)
    if limits.rpm is not None and requests > limits.rpm:
        found.append(f"{requests} requests in a minute, rpm is {limits.rpm}")
    if limits.tpm is not None and tokens > limits.tpm:
        found.append(f"{tokens} tokens in a minute, tpm is {limits.tpm}")
    if limits.parallel is not None and run.most_at_once > limits.parallel:
        found.append(f"{run.most_at_once} requests at once, parallel is {limits.parallel}")
    # A minute's requests are all used at its beginning: the clients never pause for long.
    if limits == KeyLimits(rpm=limits.rpm) and len(run.admitted) < int(seconds / (WINDOW_S + 1)) * (
        limits.rpm or 0
    ):
        found.append(f"only {len(run.admitted)} requests were admitted")
    if run.other_statuses:
        found.append(f"other statuses than 200 and 429: {sorted(set(run.other_statuses))}")
    return found


def most_requests(run: KeyRun) -> int:
    """Return the most requests that were admitted in one window."""
    return most_in_window([(seen.sent_s, seen.answered_s, 1) for seen in run.admitted])


def most_tokens(run: KeyRun) -> int:
    """Return the most tokens that were reported in one window."""
    return most_in_window([(seen.sent_s, seen.ended_s, seen.tokens) for seen in run.admitted])


async def main() -> None:
    """Run the clients, verify and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=130)
    seconds = parser.parse_args().seconds
    runs = {name: KeyRun(limits) for name, limits in LIMITS.items()}
    with tempfile.TemporaryDirectory(prefix="gglib-limits-") as directory:
        home = Path(directory)
        await add_model(home)
        write_config(home / "config.toml")
        with served(home) as address:
            await run_clients(address, runs, seconds)
    print_table(runs)
    found = [f"{name}: {phrase}" for name, run in runs.items() for phrase in violations(run, seconds)]
    print("\n".join(found) or "No limit was exceeded.")
    sys.exit(bool(found))


def write_config(path: Path) -> None:
    """Write the keys with their limits."""
    lines = ["[api_keys]", f'{ADMIN} = "{key_of(ADMIN)}"']
    for name, limits in LIMITS.items():
        own = {"rpm": limits.rpm, "tpm": limits.tpm, "parallel": limits.parallel}
        lines += [f"[api_keys.{name}]", f'key = "{key_of(name)}"']
        lines += [f"{field} = {limit}" for field, limit in own.items() if limit is not None]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)


def key_of(name: str) -> str:
    """Return the key with this name."""
    return f"key-of-{name}"


async def run_clients(address: str, runs: dict[str, KeyRun], seconds: float) -> None:
    """Run all clients for a while; requests that have begun are finished."""
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(
        base_url=f"http://{address}", timeout=600, trust_env=False, limits=limits
    ) as client:
        warm_up = {"Authorization": f"Bearer {key_of(ADMIN)}"}
        (await client.post("/v1/chat/completions", content=body(ADMIN), headers=warm_up)).raise_for_status()
        sampler = asyncio.create_task(sample(client, runs))
        end_s, names = time.monotonic() + seconds, list(runs)
        await asyncio.gather(
            *(
                run_client(
                    client, names[number % 3], runs[names[number % 3]], end_s, is_patient=number % 2 == 0
                )
                for number in range(CLIENTS)
            )
        )
        sampler.cancel()
        await asyncio.gather(sampler, return_exceptions=True)


def body(name: str) -> bytes:
    """Return a chat request. The text beside the messages makes the estimate of the prompt larger than its tokens."""
    content = {
        "model": "tiny",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": MAX_TOKENS,
        "stream": True,
        "stream_options": {"include_usage": True},
        "user": name + "-" * 400,
    }
    return json.dumps(content).encode()


async def run_client(
    client: httpx2.AsyncClient, name: str, run: KeyRun, end_s: float, *, is_patient: bool
) -> None:
    """Send one request after the other until ``end_s``."""
    headers = {"Authorization": f"Bearer {key_of(name)}"}
    while (sent_s := time.monotonic()) < end_s:
        async with client.stream(
            "POST", "/v1/chat/completions", content=body(name), headers=headers
        ) as response:
            answered_s = time.monotonic()
            if response.status_code == 200:
                tokens = 0
                async for line in response.aiter_lines():
                    if line.startswith("data: {"):
                        usage = json.loads(line.removeprefix("data: ")).get("usage") or {}
                        tokens = usage.get("total_tokens", tokens)
                run.admitted.append(Seen(sent_s, answered_s, time.monotonic(), tokens))
                continue
        if response.status_code == 429:
            run.refused += 1
        else:
            run.other_statuses.append(response.status_code)
        wait_s = int(response.headers.get("retry-after-ms", "1000")) / 1000
        await asyncio.sleep(max(0.0, min(wait_s if is_patient else IMPATIENT_S, end_s - time.monotonic())))


async def sample(client: httpx2.AsyncClient, runs: dict[str, KeyRun]) -> None:
    """Record how many requests of each key are in progress."""
    headers = {"Authorization": f"Bearer {key_of(ADMIN)}"}
    while True:
        keys = (await client.get("/gglib/keys", headers=headers)).json()["keys"]
        for key in keys:
            if key["name"] in runs:
                run = runs[key["name"]]
                run.most_at_once = max(run.most_at_once, key["use"]["running"])
        await asyncio.sleep(SAMPLE_S)


def print_table(runs: dict[str, KeyRun]) -> None:
    """Print what each key was allowed, and what it got."""
    print("| key | rpm | most in 60 s | tpm | most in 60 s | parallel | most at once | admitted | refused |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, run in runs.items():
        limits = run.limits
        cells = (
            *(name, limits.rpm or "-", most_requests(run), limits.tpm or "-", most_tokens(run)),
            *(limits.parallel or "-", run.most_at_once, len(run.admitted), run.refused),
        )
        print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    asyncio.run(main())
