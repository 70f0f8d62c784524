"""The search and show commands with a hub."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType

import pytest

from gglib.core.errors import HubUnreachableError
from gglib.core.hub.repository import Gating
from gglib.core.memory import MachineMemory
from gglib.testing import FakeHub
from gglib.testing.local_hub import LocalHub, sparse_file

from .conftest import Home

GB = 10**9
REPO = "ada/coder-7B-GGUF"


@pytest.fixture
def hub(home: Home, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """Return the commands' hub, on a machine with 12 GB of free memory."""
    hub = FakeHub()
    files: dict[str, bytes | int] = {
        "coder-7B-Q4_K_M.gguf": home.model_file.read_bytes(),
        "coder-7B-Q8_0.gguf": 7 * GB,
        "coder-7B-F16.gguf": 150 * GB,
        "README.md": b"hi",
    }
    hub.add_repository(REPO, files, downloads=5, likes=2, licence="mit")
    hub.add_repository("eve/coder-GGUF", {"coder-Q6_K.gguf": 6 * GB}, downloads=9, gate=Gating.MANUAL)

    @asynccontextmanager
    async def open_hub() -> AsyncIterator[FakeHub]:
        yield hub

    module = ModuleType("gglib.app.models.hub")
    module.__dict__["open_hub"] = open_hub
    monkeypatch.setitem(sys.modules, module.__name__, module)
    memory = MachineMemory(total_bytes=16 * GB, available_bytes=12 * GB)
    monkeypatch.setattr("gglib.app.memory.fitting.read_memory", lambda: memory)
    return hub


def test_a_search_shows_what_fits_and_what_to_type(home: Home, hub: FakeHub) -> None:
    """Each result is shown with its fit and the command that pulls it."""
    text = home.ok("search", "coder")
    assert text.index("eve/coder-GGUF") < text.index(REPO)
    assert "  fits       Q4_K_M* 520 kB, Q8_0 7.0 GB\n" in text
    assert "  too large  F16 150.0 GB\n" in text
    assert "gglib pull eve/coder-GGUF:Q6_K" in text


def test_a_search_is_sorted_and_limited(home: Home, hub: FakeHub) -> None:
    """Options set order and limit; several words form one query."""
    found = json.loads(home.ok("search", "coder", "--sort", "likes", "--limit", "1", "--json"))
    assert [one["repo"] for one in found["repositories"]] == [REPO]
    assert found["query"] == "coder"
    assert json.loads(home.ok("search", "ada/coder", "7B", "--json"))["query"] == "ada/coder 7B"


def test_json_has_the_parts_of_each_estimate(home: Home, hub: FakeHub) -> None:
    """Estimates are exact if the header could be read, and approximate for a gated repository."""
    guessed, exact = json.loads(home.ok("search", "coder", "--json"))["repositories"]
    assert (exact["gate"], guessed["gate"]) == ("open", "manual")
    assert exact["architecture"] == "llama"
    assert [variant["fit"] for variant in exact["variants"]] == ["fits", "fits", "too large"]
    assert [variant["need"]["is_exact"] for variant in exact["variants"]] == [True, True, True]
    assert [variant["need"]["is_exact"] for variant in guessed["variants"]] == [False]
    assert exact["variants"][1]["need"]["weights_bytes"] == 7 * GB


def test_what_is_too_large_for_the_user_is_left_out(home: Home, hub: FakeHub) -> None:
    """Models above the size limit are omitted, and repositories without a remaining model."""
    text = home.ok("search", "coder", "--max-size", "500M")
    assert "Q4_K_M" in text
    assert "Q8_0" not in text
    assert "eve/" not in text
    assert "small enough" in home.ok("search", "eve", "--max-size", "1k")


def test_a_search_without_a_question_is_a_usage_error(home: Home, hub: FakeHub) -> None:
    """An unknown sort order is a usage error, too."""
    assert home.run("search").returncode == 2
    assert home.run("search", "coder", "--sort", "size").returncode == 2
    assert home.run("search", "coder", "--limit", "0").returncode == 2
    assert home.run("search", "coder", "--limit", "few").returncode == 2
    size = home.run("search", "coder", "--max-size", "lots")
    assert size.returncode == 2
    assert "must be a size like 8G" in size.stderr


@pytest.mark.parametrize("arguments", [("search", "coder"), ("show", REPO)])
def test_without_a_network_it_is_one_sentence(home: Home, hub: FakeHub, arguments: tuple[str, ...]) -> None:
    """The sentence is the hub's error message."""
    hub.fails_with = HubUnreachableError("The hub cannot be reached: check the network.")
    assert home.refused(*arguments) == "The hub cannot be reached: check the network."


def test_a_repository_is_shown_with_its_files(home: Home, hub: FakeHub) -> None:
    """Files are listed with their role; the repository is given by name, as a pull target or as a URL."""
    text = home.ok("show", REPO)
    assert "coder-7B-Q8_0.gguf" in text
    assert "README.md" in text
    assert f"gglib pull {REPO}:Q4_K_M" in text
    shown = json.loads(home.ok("show", f"https://huggingface.co/{REPO}", "--json"))
    assert [file["kind"] for file in shown["files"]] == ["model", "model", "model", "other"]
    (only,) = json.loads(home.ok("show", f"{REPO}:q8_0", "--json"))["files"]
    assert only["name"] == "coder-7B-Q8_0.gguf"


def test_a_model_of_the_catalogue_goes_before_the_hub(stocked: Home, hub: FakeHub) -> None:
    """A name in the catalogue takes precedence; the hub gets no request for it, nor for an invalid repository name."""
    stocked.ok("set", "tiny", "--alias", REPO)
    assert json.loads(stocked.ok("show", REPO, "--json"))["name"] == "tiny"
    assert "not in the catalogue" in stocked.refused("show", "coder")
    assert not hub.calls


def test_what_the_hub_does_not_have_is_said(home: Home, hub: FakeHub) -> None:
    """One sentence, also for an invalid repository name."""
    assert "check the name" in home.refused("show", "ada/none")
    assert "is a local path" in home.refused("show", "../none")


def test_a_real_hub_is_searched_over_sockets(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Covers the adapter with redirects and range requests; in offline mode it sends no request."""
    with LocalHub() as local:
        local.add_repository(
            REPO, {"coder-7B-Q4_K_M.gguf": home.model_file, "coder-7B-Q8_0.gguf": sparse_file(GB)}
        )
        monkeypatch.setenv("HF_ENDPOINT", local.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        (found,) = json.loads(home.ok("search", "coder", "--json"))["repositories"]
        assert [variant["size_bytes"] for variant in found["variants"]] == [
            home.model_file.stat().st_size,
            GB,
        ]
        assert all(variant["need"]["is_exact"] for variant in found["variants"])
        assert "coder-7B-Q8_0.gguf" in home.ok("show", REPO)
        assert "check the name" in home.refused("show", "ada/none")
        local.forget_requests()
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        assert "HF_HUB_OFFLINE" in home.refused("search", "coder")
        assert not local.requests
