"""The hub's API over real sockets: results, errors, and the hosts that receive the token."""

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import pytest

from gglib.core.errors import (
    GatedRepositoryError,
    HubBusyError,
    HubError,
    HubUnreachableError,
    RepositoryNotFoundError,
)
from gglib.core.hub.repository import (
    Gating,
    HubFile,
    HubRepository,
    HubSort,
)
from gglib.hf.api import MAX_CONCURRENT_REQUESTS, HubApi
from gglib.testing.local_hub import (
    ABSENT,
    Disconnect,
    Fault,
    Host,
    LocalHub,
    failing,
    rate_limited,
    sparse_file,
)

TOKEN = "hf_secret"
MODEL = b"GGUF of a model"
SHA256 = hashlib.sha256(MODEL).hexdigest()
LLAMA = {"total": 8_030_261_312, "architecture": "llama", "context_length": 131_072}


@pytest.fixture(autouse=True)
def no_leftovers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the machine's proxies and token from the environment."""
    import huggingface_hub

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_environment")
    huggingface_hub.close_session()


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    """Yield a hub with one model."""
    with LocalHub(page_limit=3) as hub:
        hub.add_repository("ada/coder-GGUF", {"coder-Q4_K_M.gguf": MODEL, "README.md": b"hello"})
        yield hub


class Pauses:
    """A sleep function that returns immediately and records the requested pauses."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def api_of(hub: LocalHub, token: str | None = None, pauses: Pauses | None = None) -> HubApi:
    """Return the API of a hub, with pauses replaced."""
    return HubApi(hub.url, lambda: token, pause=pauses or Pauses())


async def failure_of(api: HubApi, repo: str = "ada/coder-GGUF", revision: str | None = None) -> HubError:
    """Return the error of a request for a repository."""
    with pytest.raises(HubError) as caught:
        await api.repository(repo, revision)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    return caught.value


class TestRepository:
    async def test_returns_the_hubs_metadata(self, hub: LocalHub) -> None:
        """The result has the commit, the files with sizes and hashes, and the metadata of the repository's page."""
        commit = hub.add_repository(
            "ada/big-GGUF",
            {"big.gguf": MODEL, "README.md": b"hi", "sub/huge.gguf": sparse_file(40_000_000_000, "ab" * 32)},
            downloads=7,
            likes=3,
            licence="apache-2.0",
            gated="auto",
            gguf=LLAMA,
            tags=("gguf", "code"),
            last_modified="2026-01-02T03:04:05.000Z",
        )
        found = await api_of(hub).repository("ada/big-GGUF")
        assert found.revision == commit
        assert found.files == (
            HubFile(name="big.gguf", size_bytes=len(MODEL), sha256=SHA256),
            HubFile(name="README.md", size_bytes=2),
            HubFile(name="sub/huge.gguf", size_bytes=40_000_000_000, sha256="ab" * 32),
        )
        assert (found.downloads, found.likes, found.updated_at) == (7, 3, 1_767_323_045)
        assert (found.licence, found.gate) == ("apache-2.0", Gating.AUTOMATIC)
        assert (found.architecture, found.parameter_count, found.trained_context) == (
            "llama",
            8_030_261_312,
            131_072,
        )
        assert "code" in found.tags

    async def test_finds_an_old_commit(self, hub: LocalHub) -> None:
        """An older commit is still available, with its own files."""
        old = (await api_of(hub).repository("ada/coder-GGUF")).revision
        new = hub.commit("ada/coder-GGUF", {"coder-Q8_0.gguf": MODEL, "README.md": None})
        now, before = (
            await api_of(hub).repository("ada/coder-GGUF"),
            await api_of(hub).repository("ada/coder-GGUF", old),
        )
        assert (now.revision, [file.name for file in now.files]) == (
            new,
            ["coder-Q4_K_M.gguf", "coder-Q8_0.gguf"],
        )
        assert (before.revision, [file.name for file in before.files]) == (
            old,
            ["coder-Q4_K_M.gguf", "README.md"],
        )

    async def test_follows_a_new_name(self, hub: LocalHub) -> None:
        """A renamed repository is found by its old name and returns its new name; the redirect keeps the token."""
        hub.accept_token(TOKEN)
        hub.rename_repository("ada/coder-GGUF", "lovelace/coder-GGUF")
        found = await api_of(hub, TOKEN).repository("ada/coder-GGUF")
        assert found.repo == "lovelace/coder-GGUF"
        assert [seen.token for seen in hub.requests] == [f"Bearer {TOKEN}"] * 2

    async def test_keeps_hostile_names(self, hub: LocalHub) -> None:
        """Names are passed on unchanged: code that builds paths validates them."""
        names = [
            "../../etc/passwd",
            "/root/x.gguf",
            "a\u202eb.gguf",
            "nul\x00.gguf",
            "C:\\x.gguf",
            "x\n.gguf",
        ]
        hub.add_repository("ada/evil", dict.fromkeys(names, b"x"))
        assert [file.name for file in (await api_of(hub).repository("ada/evil")).files] == names

    async def test_asks_nothing_for_what_is_no_name(self, hub: LocalHub) -> None:
        """Text that cannot be a repository's name causes no request."""
        for text in ("../../x", "a/b/c", "", "a b/c", "ada/coder?x=1"):
            error = await failure_of(api_of(hub), text)
            assert isinstance(error, RepositoryNotFoundError)
            assert "OWNER/NAME" in str(error)
        assert hub.requests == []


class TestSearch:
    async def test_an_unsendable_token_is_reported_as_invalid(self, hub: LocalHub) -> None:
        """The error does not blame the hub, which gets no request."""
        with pytest.raises(HubError, match="not valid Unicode"):
            await search(hub, "coder \udcff")
        assert hub.requests == []

    async def test_brings_files_with_sizes_in_the_hubs_order(self, hub: LocalHub) -> None:
        """Results are in the requested order, over several pages, each with its files and their sizes."""
        for number in range(5):
            hub.add_repository(
                f"ada/m{number}",
                {"m.gguf": sparse_file(1000 + number)},
                downloads=number,
                likes=-number + 10,
                trending=number % 3,
                last_modified=f"2026-01-0{5 - number}T00:00:00.000Z",
            )
        found = await api_of(hub).search("ada/m", sort=HubSort.DOWNLOADS, limit=4)
        assert [(one.repo, one.files[0].size_bytes) for one in found] == [
            ("ada/m4", 1004),
            ("ada/m3", 1003),
            ("ada/m2", 1002),
            ("ada/m1", 1001),
        ]
        for sort in (HubSort.LIKES, HubSort.UPDATED):
            best = await api_of(hub).search("ada/m", sort=sort, limit=1)
            assert [one.repo for one in best] == ["ada/m0"]
        best = await api_of(hub).search("ada/m", sort=HubSort.TRENDING, limit=1)
        assert [one.repo for one in best] == ["ada/m2"]

    async def test_finds_models_only(self, hub: LocalHub) -> None:
        """A repository without a GGUF file is not a result, whatever its tags; an empty result is an empty list."""
        hub.add_repository("ada/coder-torch", {"model.safetensors": sparse_file(10)}, tags=("pytorch",))
        hub.add_repository("ada/coder-liar", {"README.md": b"soon"})
        assert [one.repo for one in await search(hub, "coder")] == ["ada/coder-GGUF"]
        assert await search(hub, "nothing like it") == []
        assert await search(hub, "coder", limit=0) == []

    async def test_leaves_out_what_cannot_be_had(self, hub: LocalHub) -> None:
        """Only a missing, gated, broken or failing repository itself is omitted."""
        bad: dict[str, Fault | dict[str, object]] = {
            "ada/coder-gone": Fault(status=404, headers=(("X-Error-Code", "RepoNotFound"),)),
            "ada/coder-locked": Fault(status=403, headers=(("X-Error-Code", "GatedRepo"),)),
            "ada/coder-broken": failing(500),
            "ada/coder-strange": {"siblings": "none"},
        }
        for repo, fault in bad.items():
            overrides = fault if isinstance(fault, dict) else {}
            hub.add_repository(repo, {"m.gguf": b"x"}, overrides=overrides)
            if isinstance(fault, Fault):
                hub.inject_fault(fault, where=partial(is_about, repo))
        assert [one.repo for one in await search(hub, "coder")] == ["ada/coder-GGUF"]

    async def test_fails_when_the_hub_does(self, hub: LocalHub) -> None:
        """If the hub fails for every repository, the search raises an error instead of returning an empty list."""
        hub.inject_fault(failing(503), where=lambda target: target.startswith("/api/models/ada"))
        with pytest.raises(HubUnreachableError, match="503"):
            await search(hub, "coder")

    async def test_asks_a_few_at_once(self, hub: LocalHub) -> None:
        """The number of concurrent requests for the repositories of a search is limited."""
        for number in range(3 * MAX_CONCURRENT_REQUESTS):
            hub.add_repository(f"ada/m{number}", {"m.gguf": b"x"})
        hub.inject_fault(Fault(stalls=True), where=lambda target: "blobs" in target)
        asking = asyncio.create_task(search(hub, "ada/m", limit=3 * MAX_CONCURRENT_REQUESTS))
        await asyncio.to_thread(hub.wait_for_requests, 4 + MAX_CONCURRENT_REQUESTS)  # four pages
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(hub.wait_for_requests, 5 + MAX_CONCURRENT_REQUESTS, 0.2)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking


def is_about(repo: str, target: str) -> bool:
    """Whether a request is about this repository."""
    return target.startswith(f"/api/models/{repo}")


async def search(hub: LocalHub, query: str, limit: int = 10) -> list[HubRepository]:
    """Search a hub, sorted by downloads."""
    return await api_of(hub).search(query, sort=HubSort.DOWNLOADS, limit=limit)


class TestToken:
    async def test_is_shown_to_the_hub(self, hub: LocalHub) -> None:
        """Private repositories are visible with the token, and missing without it."""
        hub.accept_token(TOKEN)
        hub.add_repository("ada/private", {"m.gguf": MODEL}, is_private=True)
        assert (await api_of(hub, TOKEN).repository("ada/private")).repo == "ada/private"
        error = await failure_of(api_of(hub), "ada/private")
        assert isinstance(error, RepositoryNotFoundError)
        assert "HF_TOKEN" in str(error)

    async def test_is_no_other_than_ours(self, hub: LocalHub) -> None:
        """The token of the huggingface_hub library, from the environment or its file, is never sent."""
        await api_of(hub).repository("ada/coder-GGUF")
        await search(hub, "coder")
        assert {seen.token for seen in hub.requests} == {None}

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_does_not_follow_a_redirect_to_another_host(self, hub: LocalHub, status: int) -> None:
        """A redirect to a foreign host is followed without the token."""
        hub.accept_token(TOKEN)
        hub.add_address("/api/models/ada/coder-GGUF", b'{"id":"ada/coder-GGUF","sha":"abc","siblings":[]}')
        hub.inject_fault(Fault(location=f"{hub.foreign_url}{{path}}", status=status), host=Host.HUB)
        assert (await api_of(hub, TOKEN).repository("ada/coder-GGUF")).revision == "abc"
        assert tokens_at(hub, Host.HUB) == {f"Bearer {TOKEN}"}
        assert tokens_at(hub, Host.FOREIGN) == {None}

    async def test_does_not_come_back_from_another_host(self, hub: LocalHub) -> None:
        """A foreign host that redirects back to the hub does not cause a request with the token."""
        hub.accept_token(TOKEN)
        hub.inject_fault(Fault(location=f"{hub.foreign_url}/there"), host=Host.HUB, times=1)
        hub.inject_fault(Fault(location=f"{hub.url}/api/models/ada/coder-GGUF?blobs=true"), host=Host.FOREIGN)
        await api_of(hub, TOKEN).repository("ada/coder-GGUF")
        assert [seen.token for seen in hub.requests] == [f"Bearer {TOKEN}", None, None]

    async def test_does_not_follow_a_next_page_to_another_host(self, hub: LocalHub) -> None:
        """If a listing's next page is on a foreign host, the request for that page has no token."""
        hub.accept_token(TOKEN)
        hub.add_address("/next", b"[]")
        link = f'<{hub.foreign_url}/next>; rel="next"'
        hub.inject_fault(Fault(headers=(("Link", link),)), where=lambda target: "search" in target)
        await api_of(hub, TOKEN).search("coder", sort=HubSort.LIKES, limit=9)
        assert tokens_at(hub, Host.FOREIGN) == {None}

    async def test_that_the_hub_does_not_know_is_named(self, hub: LocalHub) -> None:
        """The error distinguishes an invalid token from a missing repository, and does not contain the token."""
        error = await failure_of(api_of(hub, "hf_wrong"))
        assert "HF_TOKEN" in str(error)
        assert "hf_wrong" not in str(error)
        assert not isinstance(error, RepositoryNotFoundError)

    @pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "tokén", "two words"])
    async def test_that_cannot_stand_in_a_header_is_not_sent(self, hub: LocalHub, token: str) -> None:
        """A token with characters that are invalid in a token is refused locally."""
        assert "HF_TOKEN" in str(await failure_of(api_of(hub, token)))
        assert hub.requests == []


def tokens_at(hub: LocalHub, host: Host) -> set[str | None]:
    """Return the tokens that a host received; fails without a request."""
    seen = {one.token for one in hub.requests if one.host is host}
    assert seen
    return seen


class TestRefusals:
    async def test_names_the_gate(self, hub: LocalHub) -> None:
        """The error of a gated repository names the page, and HF_TOKEN if it is not set."""
        locked = Fault(status=401, headers=(("X-Error-Code", "GatedRepo"),))
        hub.inject_fault(locked)
        error = await failure_of(api_of(hub))
        assert isinstance(error, GatedRepositoryError)
        assert f"{hub.url}/ada/coder-GGUF" in str(error)
        assert "HF_TOKEN" in str(error)
        hub.accept_token(TOKEN)
        error = await failure_of(api_of(hub, TOKEN))
        assert isinstance(error, GatedRepositoryError)
        assert "HF_TOKEN" not in str(error)

    async def test_names_the_revision(self, hub: LocalHub) -> None:
        """The error names a missing branch; a slash is part of its name."""
        error = await failure_of(api_of(hub), revision="wip/x")
        assert isinstance(error, RepositoryNotFoundError)
        assert "wip/x" in str(error)

    async def test_waits_as_long_as_it_is_asked_to(self, hub: LocalHub) -> None:
        """A short Retry-After is awaited."""
        pauses = Pauses()
        hub.inject_fault(rate_limited(3), times=2)
        await api_of(hub, pauses=pauses).repository("ada/coder-GGUF")
        assert pauses.seconds == [3, 3]

    async def test_does_not_wait_for_long(self, hub: LocalHub) -> None:
        """A Retry-After of minutes is an error that names the wait, and how to raise the limit."""
        pauses = Pauses()
        hub.inject_fault(rate_limited(300))
        error = await failure_of(api_of(hub, pauses=pauses))
        assert isinstance(error, HubBusyError)
        assert "300 s" in str(error)
        assert "HF_TOKEN" in str(error)
        assert (pauses.seconds, len(hub.requests)) == ([], 1)

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    async def test_tries_a_failing_hub_again(self, hub: LocalHub, status: int) -> None:
        """A server error is retried with increasing pauses, and reported if it persists."""
        pauses = Pauses()
        rule = hub.inject_fault(failing(status), times=2)
        await api_of(hub, pauses=pauses).repository("ada/coder-GGUF")
        assert rule.used == 2
        hub.inject_fault(failing(status))
        error = await failure_of(api_of(hub, pauses=pauses))
        assert isinstance(error, HubUnreachableError)
        assert str(status) in str(error)
        assert pauses.seconds == [0.5, 1.0] * 2

    async def test_says_what_else_it_is_refused_with(self, hub: LocalHub) -> None:
        """Any other error response quotes the hub's message, without control characters."""
        hub.inject_fault(Fault(status=418, headers=(("X-Error-Message", "I am\x1b[2J a teapot"),)))
        text = str(await failure_of(api_of(hub)))
        assert "418" in text
        assert "teapot" in text
        assert "\x1b" not in text


class TestNetwork:
    async def test_that_is_not_there(self) -> None:
        """If nothing listens, the error names the host and says that local models still work."""
        with LocalHub() as other:
            gone = other.url
        pauses = Pauses()
        error = await failure_of(HubApi(gone, lambda: None, pause=pauses))
        assert isinstance(error, HubUnreachableError)
        assert gone.removeprefix("http://") in str(error)
        assert "still work" in str(error)
        assert pauses.seconds == []

    async def test_without_a_name_server(self) -> None:
        """An unknown host name is reported as unreachable."""
        error = await failure_of(HubApi("http://hub.invalid", lambda: None, pause=Pauses()))
        assert isinstance(error, HubUnreachableError)
        assert "hub.invalid" in str(error)

    async def test_without_a_certificate(self, hub: LocalHub) -> None:
        """A TLS failure is distinguished from an unreachable host."""
        error = await failure_of(HubApi(hub.url.replace("http:", "https:"), lambda: None, pause=Pauses()))
        assert isinstance(error, HubUnreachableError)
        assert "SSL_CERT_FILE" in str(error)

    async def test_that_says_nothing(self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
        """A hub that accepts the request and does not respond times out."""
        monkeypatch.setattr("gglib.hf.session.READ_TIMEOUT_S", 0.05)
        hub.inject_fault(Fault(stalls=True))
        error = await failure_of(api_of(hub))
        assert isinstance(error, HubUnreachableError)
        assert "does not answer" in str(error)

    async def test_that_dribbles(self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
        """A response that arrives byte by byte is limited by the total timeout."""
        monkeypatch.setattr("gglib.hf.session.TOTAL_TIMEOUT_S", -1.0)
        hub.inject_fault(Fault(bytes_per_s=2000))
        assert isinstance(await failure_of(api_of(hub)), HubUnreachableError)

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(cut_after_bytes=20, cut=Disconnect.FIN),
            Fault(cut_after_bytes=20, cut=Disconnect.RESET),
            Fault(cut_after_bytes=0, cut=Disconnect.RESET),
            Fault(length_delta=9),
            Fault(raw=b"220 smtp.example ESMTP\r\n"),
            Fault(raw=b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"),
            Fault(raw=b""),
        ],
    )
    async def test_that_breaks_off_or_is_not_http(self, hub: LocalHub, fault: Fault) -> None:
        """A truncated or invalid response is retried, and reported if it persists."""
        hub.inject_fault(fault, times=1)
        await api_of(hub).repository("ada/coder-GGUF")
        hub.inject_fault(fault)
        assert isinstance(await failure_of(api_of(hub)), HubUnreachableError)

    async def test_behind_a_proxy(self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
        """The proxy of the environment is used, and the error names a broken proxy."""
        import huggingface_hub

        monkeypatch.setenv("http_proxy", hub.url)
        await HubApi("http://hub.invalid", lambda: None, pause=Pauses()).repository("ada/coder-GGUF")
        assert [seen.authority for seen in hub.requests] == ["hub.invalid"]
        monkeypatch.setenv("http_proxy", "socks9://127.0.0.1:1")
        huggingface_hub.close_session()
        assert "socks9://127.0.0.1:1" in str(
            await failure_of(HubApi("http://hub.invalid", lambda: None, pause=Pauses()))
        )

    @pytest.mark.parametrize("variable", ["http_proxy", "all_proxy", "https_proxy"])
    async def test_behind_a_socks_proxy(self, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
        """An invalid proxy for any scheme is reported by gglib, without the password."""
        monkeypatch.setenv(variable, "socks5://me:hush@127.0.0.1:1")
        text = str(await failure_of(HubApi("http://hub.invalid", lambda: None, pause=Pauses())))
        assert "socks5://127.0.0.1:1" in text
        assert "https_proxy" in text
        assert "pip" not in text
        assert "hush" not in text

    async def test_behind_a_proxy_that_is_dead(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The error names the proxy, without its user, and not the hub."""
        with LocalHub() as other:
            gone = other.url.removeprefix("http://")
        monkeypatch.setenv("http_proxy", f"http://me:hush@{gone}")
        error = await failure_of(HubApi("http://hub.invalid", lambda: None, pause=Pauses()))
        assert isinstance(error, HubUnreachableError)
        assert str(error).startswith(f"The proxy {gone} to hub.invalid cannot be reached")
        assert "hush" not in str(error)

    async def test_that_is_not_wanted(self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
        """In the library's offline mode no request is sent, and the message names the variable."""
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        assert "HF_HUB_OFFLINE" in str(await failure_of(api_of(hub)))
        assert hub.requests == []

    async def test_a_caller_that_leaves_does_not_wait(self, hub: LocalHub) -> None:
        """A cancelled request ends immediately, even without a response."""
        hub.inject_fault(Fault(stalls=True))
        asking = asyncio.create_task(api_of(hub).repository("ada/coder-GGUF"))
        await asyncio.to_thread(hub.wait_for_requests, 1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(5):
                await asking


class TestAnswers:
    @pytest.mark.parametrize(
        ("location", "word"),
        [
            ("{path}", "redirects in a loop"),
            ("ftp://127.0.0.1/x", "redirects to an invalid address"),
            ("file:///etc/passwd", "redirects to an invalid address"),
            ("http://[::1", "HF_ENDPOINT"),
        ],
    )
    async def test_that_lead_nowhere(self, hub: LocalHub, location: str, word: str) -> None:
        """A redirect loop, or a redirect to an invalid address, is not followed."""
        hub.inject_fault(Fault(location=location))
        assert word in str(await failure_of(api_of(hub)))
        assert len(hub.requests) <= 6

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>portal</html>",
            b"[]",
            b"{}",
            b'"x"',
            b"null",
            b"[" * 100_000,
            b'{"id":1}',
            b"\xff\xfe",
        ],
    )
    async def test_that_are_not_the_hubs(self, hub: LocalHub, body: bytes) -> None:
        """A response of another format, such as a captive portal's login page, is one sentence, for both methods."""
        hub.inject_fault(Fault(status=200, body=body))
        await failure_of(api_of(hub))
        if body not in {b"[]", b"{}"}:  # these make the library return an empty search result
            with pytest.raises(HubError):
                await search(hub, "coder")

    @pytest.mark.parametrize(
        "overrides",
        [
            {"sha": ABSENT},
            {"sha": 5},
            {"id": ABSENT},
            {"siblings": [5]},
            {"siblings": [{}]},
            {"siblings": [{"rfilename": 5, "size": 1}]},
            {"siblings": [{"rfilename": "m.gguf"}]},
            {"siblings": [{"rfilename": "m.gguf", "size": "1"}]},
            {"siblings": [{"rfilename": "m.gguf", "size": -1}]},
            {"siblings": [{"rfilename": "m.gguf", "size": 1.5}]},
            {"siblings": [{"rfilename": "m.gguf", "size": 2**60}]},
            {"siblings": [{"rfilename": "m.gguf", "size": 1, "lfs": {"size": 1}}]},
            {
                "siblings": [
                    {"rfilename": "m.gguf", "size": 1, "lfs": {"sha256": "x", "size": 1, "pointerSize": 1}}
                ]
            },
            {"downloads": "many"},
            {"likes": True},
            {"gated": "perhaps"},
            {"tags": [1]},
            {"lastModified": "yesterday"},
            {"gguf": []},
            {"gguf": {"total": "8B"}},
            {"gguf": {"context_length": -1}},
        ],
    )
    async def test_with_fields_of_another_kind(self, hub: LocalHub, overrides: dict[str, object]) -> None:
        """A required field that is missing or has another type is an error that names the hub."""
        hub.add_repository("ada/odd", {"m.gguf": MODEL}, overrides=overrides)
        error = await failure_of(api_of(hub), "ada/odd")
        assert hub.url.removeprefix("http://") in str(error)
        assert type(error) is HubError

    @pytest.mark.parametrize(
        "name", ["gguf", "downloads", "likes", "tags", "cardData", "lastModified", "gated", "siblings"]
    )
    async def test_without_what_is_not_needed(self, hub: LocalHub, name: str) -> None:
        """Fields that a mirror omits are optional."""
        hub.add_repository("ada/terse", {"m.gguf": MODEL}, gguf=LLAMA, overrides={name: ABSENT})
        assert (await api_of(hub).repository("ada/terse")).repo == "ada/terse"

    async def test_without_end(self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
        """A response larger than any listing is rejected."""
        monkeypatch.setattr("gglib.hf.session.MAX_RESPONSE_BYTES", 100_000)
        hub.inject_fault(Fault(status=200, body=b" " * 10_000_000))
        assert "too large" in str(await failure_of(api_of(hub)))

    @pytest.mark.parametrize(
        "endpoint", ["", "huggingface.co", "ftp://hub", "http://", "http://[", "http://a:b"]
    )
    async def test_of_no_hub_at_all(self, endpoint: str) -> None:
        """An invalid endpoint is reported, and no other endpoint gets a request."""
        assert "HF_ENDPOINT" in str(await failure_of(HubApi(endpoint, lambda: None, pause=Pauses())))


class TestLibrary:
    async def test_says_nothing_on_the_terminal(
        self, hub: LocalHub, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        """Neither the hub's warnings nor the library's reach the user's terminal or log."""
        hub.inject_fault(failing(503), times=1)
        hub.inject_fault(Fault(cut_after_bytes=3), times=1)
        hub.inject_fault(Fault(headers=(("X-HF-Warning", "topic; buy something"),)))
        await api_of(hub).repository("ada/coder-GGUF")
        assert capfd.readouterr() == ("", "")
        assert caplog.records == []

    async def test_the_user_agent_has_no_facts_about_the_machine(self, hub: LocalHub) -> None:
        """The hub sees gglib's name, but no versions or installed packages."""
        await api_of(hub).repository("ada/coder-GGUF")
        assert {seen.headers["user-agent"] for seen in hub.requests} == {"gglib"}

    async def test_is_its_own_self_for_others(self, hub: LocalHub) -> None:
        """The library is unchanged for a program that embeds gglib."""
        from huggingface_hub import HfApi

        await api_of(hub).repository("ada/coder-GGUF")
        await asyncio.to_thread(HfApi(endpoint=hub.url, token=False).model_info, "ada/coder-GGUF")
        assert "hf_hub/" in hub.requests[-1].headers["user-agent"]

    def test_is_imported_when_it_is_used(self) -> None:
        """Importing the API does not import the library: the first request does."""
        code = (
            "import sys, gglib.hf.api; sys.exit('huggingface_hub' in sys.modules or 'httpx2' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
