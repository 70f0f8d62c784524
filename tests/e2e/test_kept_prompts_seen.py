"""What a user sees of a conversation that outlives a swap, and when the model's setting takes effect."""

import json
import sys
from typing import Any

import httpx2
import pytest
from tests.e2e.conftest import Gglib

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="counts processes by /proc"),
]

PROMPT = [260 + index * 4 % 90 for index in range(2000)]
"""Tokens; enough that the tiny model takes longer for them than for a save and a restore."""


def ask(gglib: Gglib, model: str, prompt: list[int]) -> None:
    """Send a completion of a prompt of tokens."""
    body = {"model": model, "prompt": prompt, "max_tokens": 4, "temperature": 0, "ignore_eos": True}
    response = httpx2.post(f"{gglib.url}/v1/completions", json=body, timeout=60, trust_env=False)
    assert response.status_code == 200, response.text


def get(gglib: Gglib, path: str) -> Any:
    """Return the response of the admin API."""
    return httpx2.get(f"{gglib.url}{path}", trust_env=False).json()


def test_what_a_swap_saved_and_restored_is_seen(home: Gglib) -> None:
    """In the swaps, ps, the metrics, the log and the history of requests."""
    home.command("set", "tiny-a", "--keep-conversations", "on")
    home.command("set", "Tiny-B", "--keep-conversations", "off")
    home.serve("--ctx", "4096")
    for model, prompt in (("tiny-a", PROMPT), ("Tiny-B", [300]), ("tiny-a", [*PROMPT, 301, 302])):
        ask(home, model, prompt)
    back, away, _ = get(home, "/gglib/swaps")["swaps"]
    assert (away["from_model"], away["restored"]) == ("tiny-a", None)
    assert away["saved"]["tokens"] >= len(PROMPT)
    assert back["restored"]["tokens"] == away["saved"]["tokens"]
    text = f"restored {back['restored']['tokens']:,} tokens in {back['restored']['seconds']:.2f} s"
    shown = home.command("ps")
    assert f"  {text}\n" in shown
    assert "Kept prompts: 1 file, " in shown
    log = (home.home / "serve.out").read_text()
    assert f"; saved {away['saved']['tokens']:,} tokens in" in log
    assert f"; {text}" in log
    kept = get(home, "/gglib/status")["kept"]
    assert (kept["saved"], kept["restored"], kept["files"]) == (away["saved"], back["restored"], 1)
    metrics = httpx2.get(f"{home.url}/metrics", trust_env=False).text
    for operation, transfer in (("save", away["saved"]), ("restore", back["restored"])):
        line = f'gglib_kept_prompt_tokens_total{{operation="{operation}"}} {transfer["tokens"]:.1f}\n'
        assert line in metrics
    requests = json.loads(home.command("requests", "--model", "tiny-a", "--json"))["requests"]
    assert max(request["cached_tokens"] for request in requests) >= len(PROMPT) - 1
    assert "CACHED" in home.command("requests").splitlines()[0]


def test_the_setting_takes_effect_at_the_next_unload(home: Gglib) -> None:
    """Without another launch, in both directions."""
    home.command("set", "tiny-a", "--keep-conversations", "off")
    home.serve("--ctx", "4096")
    ask(home, "tiny-a", PROMPT)
    (before,) = home.residents()
    home.command("set", "tiny-a", "--keep-conversations", "on")
    (now,) = home.residents()
    assert now["pid"] == before["pid"]
    changed = httpx2.patch(
        f"{home.url}/gglib/models/tiny-a", json={"keep_conversations": True}, trust_env=False
    )
    assert changed.json()["keep_conversations"] is True  # and applied: it does not wait for the next look
    home.command("unload", "tiny-a")
    assert get(home, "/gglib/status")["kept"]["saved"]["slots"] == 1
    ask(home, "tiny-a", PROMPT[::-1])
    httpx2.patch(f"{home.url}/gglib/models/tiny-a", json={"keep_conversations": False}, trust_env=False)
    home.command("unload", "tiny-a")
    assert get(home, "/gglib/status")["kept"]["saved"]["slots"] == 1
