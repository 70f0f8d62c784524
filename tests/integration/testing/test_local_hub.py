"""The local hub behaves like the observed real hub, as tested with the official client library, huggingface_hub."""

import hashlib
import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

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

CONTENT = bytes(number * 7 % 251 for number in range(50_000))
REPO = "ada/coder-GGUF"
NAME = "coder-Q4_K_M.gguf"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """Yield a hub with one model and a small file."""
    for name in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with LocalHub() as hub:
        hub.add_repository(REPO, {NAME: CONTENT, "README.md": b"hello"}, gguf={"total": 5})
        yield hub


class Response:
    """The response to one request, without following redirects."""

    def __init__(self, url: str, method: str = "GET", **headers: str) -> None:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, target, headers=named)
            response = connection.getresponse()
            self.status = response.status
            self.headers = response.headers
            self.body = response.read()
        finally:
            connection.close()

    @property
    def json(self) -> Any:
        """The body parsed as JSON."""
        return json.loads(self.body)


def cdn_address(hub: LocalHub, name: str = NAME) -> str:
    """Return the target of the redirect to a large file."""
    return Response(hub.resolve_url(REPO, name)).headers["Location"]


class TestLibrary:
    @pytest.mark.parametrize("name", [NAME, "README.md"])
    def test_downloads_from_it(self, hub: LocalHub, tmp_path: Path, name: str) -> None:
        """huggingface_hub finds commit, size and ETag of a file in the expected headers, and downloads the file."""
        from huggingface_hub import get_hf_file_metadata, hf_hub_download

        metadata = get_hf_file_metadata(hub.resolve_url(REPO, name), endpoint=hub.url, token=False)
        content = CONTENT if name == NAME else b"hello"
        assert metadata.size == len(content)
        assert metadata.commit_hash == hub.newest_commit(REPO)
        if name == NAME:
            assert metadata.etag == hashlib.sha256(CONTENT).hexdigest()
        path = hf_hub_download(REPO, name, endpoint=hub.url, cache_dir=tmp_path, token=False)
        assert Path(path).read_bytes() == content

    def test_knows_its_errors(self, hub: LocalHub) -> None:
        """huggingface_hub raises its specific error for each refusal."""
        from huggingface_hub import HfApi, errors, get_hf_file_metadata

        hub.accept_token("hf_x")
        hub.add_repository("ada/gated", {"m.gguf": b"x"}, gated="auto")
        api = HfApi(endpoint=hub.url, token="hf_x")
        with pytest.raises(errors.RepositoryNotFoundError):
            api.model_info("ada/nothing")
        with pytest.raises(errors.RevisionNotFoundError):
            api.model_info(REPO, revision="nothing")
        with pytest.raises(errors.RemoteEntryNotFoundError):
            get_hf_file_metadata(hub.resolve_url(REPO, "nothing"), endpoint=hub.url, token=False)
        for token in (False, "hf_x"):
            with pytest.raises(errors.GatedRepoError):
                get_hf_file_metadata(hub.resolve_url("ada/gated", "m.gguf"), endpoint=hub.url, token=token)
        hub.grant("hf_x", "ada/gated")
        get_hf_file_metadata(hub.resolve_url("ada/gated", "m.gguf"), endpoint=hub.url, token="hf_x")
        with pytest.raises(errors.HfHubHTTPError, match="Invalid credentials"):
            HfApi(endpoint=hub.url, token="hf_wrong").model_info(REPO)

    def test_lists_page_by_page(self) -> None:
        """huggingface_hub follows the pages of a listing."""
        from huggingface_hub import HfApi

        with LocalHub(page_limit=2) as hub:
            for number in range(5):
                hub.add_repository(f"ada/m{number}", {"m.gguf": b"x"}, downloads=number)
            found = HfApi(endpoint=hub.url, token=False).list_models(filter="gguf", sort="downloads")
            assert [one.id for one in found] == [f"ada/m{number}" for number in (4, 3, 2, 1, 0)]
            assert len(hub.requests) == 3


class TestFiles:
    def test_are_sent_by_another_host(self, hub: LocalHub) -> None:
        """A large file is a redirect to another host and port, with the file's metadata in the response head."""
        answer = Response(hub.resolve_url(REPO, NAME), "HEAD")
        assert answer.status == 302
        assert answer.headers["X-Linked-Size"] == str(len(CONTENT))
        assert answer.headers["X-Linked-ETag"].strip('"') == hashlib.sha256(CONTENT).hexdigest()
        here, there = urlsplit(hub.url), urlsplit(answer.headers["Location"])
        assert (here.hostname, here.port) != (there.hostname, there.port)
        assert here.hostname != there.hostname
        sent = Response(answer.headers["Location"])
        assert sent.body == CONTENT
        assert sent.headers["ETag"] != answer.headers["X-Linked-ETag"]

    @pytest.mark.parametrize(
        ("header", "start", "end"),
        [("bytes=0-0", 0, 1), ("bytes=10-", 10, None), ("bytes=-5", -5, None), ("bytes=10-999999", 10, None)],
    )
    @pytest.mark.parametrize("is_on_disk", [True, False])
    def test_come_in_parts(
        self, hub: LocalHub, tmp_path: Path, header: str, start: int, end: int | None, *, is_on_disk: bool
    ) -> None:
        """A partial response has the requested range, for bytes and files, and is recorded."""
        (tmp_path / "m").write_bytes(CONTENT)
        hub.replace_in_place(REPO, NAME, tmp_path / "m" if is_on_disk else CONTENT)
        answer = Response(cdn_address(hub), Range=header)
        assert (answer.status, answer.body) == (206, CONTENT[start:end])
        first = start if start >= 0 else len(CONTENT) + start
        assert (
            answer.headers["Content-Range"] == f"bytes {first}-{first + len(answer.body) - 1}/{len(CONTENT)}"
        )
        seen = hub.requests_of(NAME, Host.CDN)[-1]
        assert (seen.range, seen.status, seen.sent_bytes) == (header, 206, len(answer.body))

    def test_end_where_they_end(self, hub: LocalHub) -> None:
        """A range beyond the end is refused with the size."""
        answer = Response(cdn_address(hub), Range=f"bytes={len(CONTENT)}-")
        assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")

    def test_come_whole_when_they_are_others(self, hub: LocalHub) -> None:
        """If-Range returns a partial response only for the matching ETag; a fault ignores If-Range."""
        address = cdn_address(hub)
        tag = Response(address, "HEAD").headers["ETag"]
        assert Response(address, Range="bytes=9-", If_Range=tag).status == 206
        assert Response(address, Range="bytes=9-", If_Range='"other"').status == 200
        assert Response(address, Range="bytes=9-", If_Range=f"W/{tag}").status == 200
        hub.inject_fault(Fault(ignores_if_range=True), file=NAME)
        assert Response(address, Range="bytes=9-", If_Range='"other"').status == 206

    def test_change_their_tag_with_their_content(self, hub: LocalHub) -> None:
        """A file changed in place gets another ETag; a commit leaves the older version unchanged."""
        first = hub.newest_commit(REPO)
        hub.commit(REPO, {NAME: b"second"})
        old, new = (Response(hub.resolve_url(REPO, NAME, at), "HEAD") for at in (first, "main"))
        assert old.headers["X-Linked-ETag"] != new.headers["X-Linked-ETag"]
        assert Response(old.headers["Location"]).body == CONTENT
        assert Response(new.headers["Location"]).body == b"second"

    def test_have_addresses_that_expire(self, hub: LocalHub) -> None:
        """A signed URL is refused after its expiry, and a new one is accepted."""
        old = cdn_address(hub)
        hub.expire_links()
        assert Response(old).status == 403
        assert Response(cdn_address(hub)).body == CONTENT

    def test_may_have_any_name_and_size(self, hub: LocalHub) -> None:
        """Hostile names are returned unchanged; a ``sparse_file`` takes no disk space and has all its bytes."""
        hub.add_repository("ada/odd", {"../../x y\n.gguf": CONTENT, "huge.gguf": sparse_file(1 << 40)})
        names = [one["rfilename"] for one in Response(f"{hub.url}/api/models/ada/odd").json["siblings"]]
        assert names == ["../../x y\n.gguf", "huge.gguf"]
        address = Response(hub.resolve_url("ada/odd", "..%2F..%2Fx%20y%0A.gguf")).headers["Location"]
        assert Response(address).body == CONTENT
        address = Response(hub.resolve_url("ada/odd", "huge.gguf")).headers["Location"]
        assert Response(address, Range="bytes=-3").body == bytes(3)


class TestFaults:
    def test_affect_the_given_number_of_responses(self, hub: LocalHub) -> None:
        """A rule ends after ``times`` uses, counts them, and does not affect other rules."""
        rule = hub.inject_fault(failing(502), file=NAME, times=2)
        address = cdn_address(hub)
        assert [Response(address).status for _ in range(3)] == [502, 502, 200]
        assert rule.used == 2
        forever = hub.inject_fault(rate_limited(7), host=Host.HUB)
        assert Response(f"{hub.url}/api/models/{REPO}").headers["Retry-After"] == "7"
        forever.end()
        assert Response(f"{hub.url}/api/models/{REPO}").status == 200

    @pytest.mark.parametrize("cut", list(Disconnect))
    def test_disconnect_at_the_given_position(self, hub: LocalHub, cut: Disconnect) -> None:
        """The given number of bytes is sent, then the connection is closed as scripted."""
        hub.inject_fault(Fault(cut_after_bytes=1000, cut=cut), file=NAME)
        error = (
            http.client.IncompleteRead
            if cut is Disconnect.FIN
            else (ConnectionResetError, http.client.IncompleteRead)
        )
        with pytest.raises(error):
            Response(cdn_address(hub))
        assert hub.sent_bytes(NAME) == 1000

    def test_change_bytes_and_lengths(self, hub: LocalHub) -> None:
        """One byte is altered; a Content-Length is too large, too small, or missing."""
        address = cdn_address(hub)
        hub.inject_fault(Fault(flips_byte_at=40_000), file=NAME, times=1)
        wrong = Response(address).body
        assert [at for at in range(len(CONTENT)) if wrong[at] != CONTENT[at]] == [40_000]
        hub.inject_fault(Fault(length_delta=-10), file=NAME, times=1)
        assert Response(address).body == CONTENT[:-10]
        hub.inject_fault(Fault(length_delta=10), file=NAME, times=1)
        with pytest.raises(http.client.IncompleteRead):
            Response(address)
        hub.inject_fault(Fault(hides_length=True), file=NAME, times=1)
        answer = Response(address)
        assert (answer.body, answer.headers["Content-Length"]) == (CONTENT, None)

    def test_lie_about_parts(self, hub: LocalHub) -> None:
        """A partial response may be sent as a complete one, or with another range."""
        address = cdn_address(hub)
        hub.inject_fault(Fault(ignores_range=True), file=NAME, times=1)
        assert Response(address, Range="bytes=5-9").status == 200
        hub.inject_fault(Fault(content_range="bytes 0-4/9"), file=NAME, times=1)
        assert Response(address, Range="bytes=5-9").headers["Content-Range"] == "bytes 0-4/9"

    def test_lead_astray(self, hub: LocalHub) -> None:
        """A redirect may lead to the foreign host, which records the request."""
        hub.inject_fault(Fault(location=f"{hub.foreign_url}{{path}}"), host=Host.HUB)
        there = Response(f"{hub.url}/x?y=1").headers["Location"]
        assert there == f"{hub.foreign_url}/x?y=1"
        assert Response(there, Authorization="Bearer hf_x").status == 404
        assert [one.token for one in hub.requests if one.host is Host.FOREIGN] == ["Bearer hf_x"]

    def test_say_what_is_no_http(self, hub: LocalHub) -> None:
        """Raw bytes are sent unchanged."""
        hub.inject_fault(Fault(raw=b"garbage"), times=1)
        with pytest.raises(http.client.BadStatusLine):
            Response(hub.url + "/")

    def test_leave_out_and_replace_fields(self, hub: LocalHub) -> None:
        """Fields of the API's responses can be replaced or removed."""
        hub.add_repository("ada/odd", {}, overrides={"sha": 5, "tags": ABSENT})
        shown = Response(f"{hub.url}/api/models/ada/odd").json
        assert shown["sha"] == 5
        assert "tags" not in shown


class TestMoments:
    def test_a_gate_stops_the_sender_at_its_byte(self, hub: LocalHub) -> None:
        """No byte beyond the limit is sent until the gate is released."""
        came: list[bytes] = []
        address = cdn_address(hub)
        with hub.pause_after(NAME, 30_000) as gate:
            asking = threading.Thread(target=lambda: came.append(Response(address).body))
            asking.start()
            gate.wait_until_reached()
            assert hub.sent_bytes(NAME) == 30_000
            assert came == []
        asking.join(10)
        assert came == [CONTENT]
        hub.wait_until_sent(NAME, len(CONTENT))

    def test_a_gate_counts_all_senders(self, hub: LocalHub) -> None:
        """Two responses for one file share the limit of the gate."""
        address = cdn_address(hub)
        with hub.pause_after(NAME, 30_000) as gate:
            halves = (f"bytes=0-{24_999}", "bytes=25000-")
            askers = [
                threading.Thread(target=Response, args=(address,), kwargs={"Range": one}) for one in halves
            ]
            for one in askers:
                one.start()
            gate.wait_until_reached()
            assert hub.sent_bytes(NAME) == 30_000
        for one in askers:
            one.join(10)
        assert hub.sent_bytes(NAME) == len(CONTENT)

    def test_a_fault_that_did_not_occur_is_reported(self, hub: LocalHub) -> None:
        """Waiting for a fault that did not occur raises an error."""
        with pytest.raises(TimeoutError):
            hub.wait_until_sent(NAME, 1, timeout_s=0.01)
        with pytest.raises(TimeoutError):
            hub.wait_for_requests(1, timeout_s=0.01)
        with pytest.raises(TimeoutError):
            hub.pause_after(NAME, 1).wait_until_reached(timeout_s=0.01)

    def test_the_end_ends_everything(self) -> None:
        """Closing the hub ends stalled, paused and slow senders, and all its threads."""
        before = set(threading.enumerate())
        with LocalHub() as hub:
            hub.add_repository(REPO, {NAME: CONTENT, "b.gguf": CONTENT, "c.gguf": CONTENT})
            hub.pause_after(NAME, 10)
            hub.inject_fault(Fault(bytes_per_s=1), file="b.gguf")
            hub.inject_fault(Fault(stalls=True), file="c.gguf")
            sockets = []
            for name in (NAME, "b.gguf", "c.gguf"):
                parts = urlsplit(cdn_address(hub, name))
                connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
                connection.request("GET", f"{parts.path}?{parts.query}")
                sockets.append(connection)
            hub.wait_for_requests(6)
        assert set(threading.enumerate()) <= before
        for connection in sockets:
            connection.close()

    def test_a_connection_is_kept(self, hub: LocalHub) -> None:
        """Several requests can use one connection, and each record has the connection's number."""
        parts = urlsplit(hub.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
        for _ in range(3):
            connection.request("GET", f"/api/models/{REPO}")
            connection.getresponse().read()
        connection.close()
        assert len({one.connection for one in hub.requests}) == 1
        assert [one.status for one in hub.requests] == [200] * 3
