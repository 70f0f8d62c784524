"""Runs the cases of one client and writes their results. Imported by the programs beside it; standard library only.

The runner sets the environment: ``GGLIB_URL``, the models (``CHAT``, ``SMALL``, ``TOOLS``, ``UNKNOWN``, ``EMBED``),
what to run (``CASES``, ``VARIANT``) and where the results go (``RESULTS``, one JSON object a line).
"""

import asyncio
import inspect
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

URL = os.environ.get("GGLIB_URL", "")
CHAT = os.environ.get("CHAT", "")
SMALL = os.environ.get("SMALL", "")
LONG = os.environ.get("LONG", "")
TOOLS = os.environ.get("TOOLS", "")
EMBED = os.environ.get("EMBED", "")
UNKNOWN = os.environ.get("UNKNOWN", "")
VARIANT = os.environ.get("VARIANT", "")
HELLO = "Write a sentence about the sea."
TOO_LONG = "one two three four " * 1500
"""Far more than the context of ``SMALL``."""
FEW, MORE, ENOUGH = 12, 200, 600
"""Tokens: enough for several chunks; enough for a tool call; enough for a sentence to end by itself."""

TOOL_NAME = "get_weather"
CITIES = ("Paris", "Rome")
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": list(CITIES), "description": "The city"}},
    "required": ["city"],
}
TOOL_DESCRIPTION = "Return the current weather of a city."
TOOL = {
    "type": "function",
    "function": {"name": TOOL_NAME, "description": TOOL_DESCRIPTION, "parameters": PARAMETERS},
}
"""A tool with few possible arguments: the engine's grammar completes the call, whatever the model is."""

MAX_DETAIL = 600
HUNG = 3
"""Exit code after a case that took too long; the runner goes on with the others."""


class NotApplicable(Exception):  # noqa: N818 - no error
    """The client cannot do what the case asks for; the message says why."""


def run(cases: dict[str, Callable[[], Any]]) -> None:
    """Run those of ``cases`` that ``CASES`` names, in its order. Functions may be coroutine functions."""
    for name in os.environ["CASES"].split(","):
        started_s = time.monotonic()
        watchdog = threading.Timer(float(os.environ.get("CASE_LIMIT_S", "60")), _give_up, (name, started_s))
        watchdog.daemon = True
        watchdog.start()
        result, detail = _outcome(cases[name]) if name in cases else ("n.a.", "no such case in the program")
        watchdog.cancel()
        _write(name, result, detail, started_s)
    sys.stdout.flush()
    os._exit(0)  # threads of a client library must not hold the process


def _outcome(case: Callable[[], Any]) -> tuple[str, str]:
    try:
        value = case()
        if inspect.isawaitable(value):
            value = asyncio.run(_awaited(value))
    except NotApplicable as reason:
        return "n.a.", str(reason)
    except BaseException as error:  # noqa: BLE001 - every failure is a result
        return "failed", f"{type(error).__name__}: {error}"
    return "ok", str(value or "")


async def _awaited(value: Any) -> Any:
    return await value


def _give_up(name: str, started_s: float) -> None:
    _write(name, "failed", "no result within the time limit", started_s)
    os._exit(HUNG)


def _write(name: str, result: str, detail: str, started_s: float) -> None:
    line = {
        "case": name,
        "result": result,
        "detail": " ".join(detail.split())[:MAX_DETAIL],
        "seconds": round(time.monotonic() - started_s, 2),
    }
    with open(os.environ["RESULTS"], "a", encoding="utf-8") as file:  # noqa: PTH123 - one append
        file.write(json.dumps(line) + "\n")


def check(condition: object, message: object = "") -> None:
    """Fail with a message that shows what was received."""
    if not condition:
        raise AssertionError(str(message) or "the condition does not hold")


@contextmanager
def raises(kinds: type[BaseException] | tuple[type[BaseException], ...], *words: str) -> Iterator[None]:
    """Expect an error of the client's own kind; its text has all of ``words`` (case ignored)."""
    try:
        yield
    except kinds as error:
        text = f"{error} {getattr(error, 'body', '')}"
        missing = [word for word in words if word.lower() not in text.lower()]
        check(not missing, f"{type(error).__name__} without {missing}: {text}")
        return
    except NotApplicable:
        raise
    except Exception as error:
        raise AssertionError(f"not the client's own error: {type(error).__name__}: {error}") from error
    raise AssertionError("nothing was raised")


def two_at_once(call: Callable[[], Any]) -> None:
    """Call twice at the same time, in two threads; both have to return something."""
    with ThreadPoolExecutor(2) as pool:
        results = [future.result() for future in [pool.submit(call), pool.submit(call)]]
    check(all(results), f"empty: {results}")


async def two_awaited(call: Callable[[], Any]) -> None:
    """Call twice at the same time, in one event loop; both have to return something."""
    results = await asyncio.gather(call(), call())
    check(all(results), f"empty: {results}")


def check_arguments(arguments: Any) -> None:
    """Check the arguments of a call of the tool: an object, or its JSON."""
    parsed = json.loads(arguments) if isinstance(arguments, str) else dict(arguments)
    check(parsed.get("city") in CITIES, f"arguments: {arguments!r}")
