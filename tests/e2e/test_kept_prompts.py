"""A conversation outlives a swap: the real engine saves it at its stop and restores it at its next start."""

import json
import stat
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.e2e.conftest import Gglib
from tests.e2e.save_kills import SaveKills, SaveKillsPlan

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="counts processes by /proc"),
]

TOKENS = 2000
"""Enough that the tiny model takes longer for it than for a save and a restore."""


def ask(gglib: Gglib, model: str, prompt: list[int], **fields: Any) -> dict[str, Any]:
    """Return the response to a greedy completion of a prompt of tokens, with the engine's timings."""
    body = {"model": model, "prompt": prompt, "max_tokens": 8, "temperature": 0, "ignore_eos": True, **fields}
    response = httpx2.post(f"{gglib.url}/v1/completions", json=body, timeout=60, trust_env=False)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def conversation(number: int, tokens: int = TOKENS) -> list[int]:
    """Return the tokens of a conversation; different ones differ from the beginning."""
    return [260 + (number * 7 + index * (3 + number)) % 90 for index in range(tokens)]


def text_of(answer: dict[str, Any]) -> str:
    """Return the generated text."""
    text: str = answer["choices"][0]["text"]
    return text


def kept_files(gglib: Gglib) -> list[Path]:
    """Return the files of saved conversations."""
    return sorted((gglib.home / "kept").glob("*/slot-*"))


@pytest.fixture
def keeping(home: Gglib) -> Gglib:
    """Serve, and save the conversations of the first model in any case."""
    home.command("set", "tiny-a", "--keep-conversations", "on")
    return home.serve("--ctx", "4096")


def test_a_conversation_survives_a_swap(keeping: Gglib) -> None:
    """Its next turn reuses it, and the greedy answer is the same as without."""
    first = conversation(1)
    ask(keeping, "tiny-a", first)
    longer = [*first, *conversation(2, 60)]
    ask(keeping, "Tiny-B", first[:10])
    saved = kept_files(keeping)
    assert [path.suffix for path in saved] == [".bin", ".json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in saved} == {0o600}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in saved} == {0o700}
    warm = ask(keeping, "tiny-a", longer)
    assert warm["timings"]["cache_n"] >= TOKENS - 1, warm
    (resident,) = keeping.residents()
    assert resident["restored"]["tokens"] >= TOKENS
    cold = ask(keeping, "tiny-a", longer, cache_prompt=False)
    assert cold["timings"]["cache_n"] == 0
    assert text_of(warm) == text_of(cold)


def test_conversations_go_with_the_server(keeping: Gglib) -> None:
    """Nothing of them is left after the stop."""
    ask(keeping, "tiny-a", conversation(1))
    keeping.command("unload", "tiny-a")
    assert kept_files(keeping)
    assert keeping.stop() == 0
    assert not kept_files(keeping)


def test_conversations_outlast_the_server_if_the_setting_says_so(home: Gglib) -> None:
    """Saved at its stop, and restored after the next start, until the model is removed."""
    home.command("set", "tiny-a", "--keep-conversations", "on")
    home.command("config", "set", "kv_keep_over_restart", "true")
    home.serve("--ctx", "4096")
    ask(home, "tiny-a", conversation(1))
    assert home.stop() == 0
    assert kept_files(home)
    home.serve("--ctx", "4096")
    warm = ask(home, "tiny-a", [*conversation(1), *conversation(2, 60)])
    assert warm["timings"]["cache_n"] >= TOKENS - 1, warm
    assert home.stop() == 0
    home.command("rm", "tiny-a", "--yes")
    assert not list((home.home / "kept").iterdir())


def test_notes_say_nothing_of_the_conversation(keeping: Gglib) -> None:
    """Figures and identities only; what is in the file is the engine's."""
    ask(keeping, "tiny-a", conversation(1))
    keeping.command("unload", "tiny-a")
    (note,) = [json.loads(path.read_bytes()) for path in kept_files(keeping) if path.suffix == ".json"]
    assert note["tokens"] == TOKENS + 7
    assert str(keeping.home) not in json.dumps(note)


def test_kills_leave_nothing_wrong(home: Gglib) -> None:
    """Of gglib and of the engine, during saves and restores; ``scripts/kill_saves.py`` is the longer run."""
    home.command("set", "tiny-a", "--keep-conversations", "on")
    home.command("config", "set", "kv_keep_over_restart", "true")
    report = SaveKills(SaveKillsPlan(seed=1, kills=8), home).run()
    assert not report.complaints, report.complaints
