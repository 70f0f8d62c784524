"""The hub itself: its content, its faults, its request record, and the threads that serve it."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self

from gglib.testing.local_hub.connection import Connection
from gglib.testing.local_hub.content import Content, Source
from gglib.testing.local_hub.faults import Fault, FaultRule, Faults
from gglib.testing.local_hub.meters import DEFAULT_WAIT_S, Meters, PauseGate
from gglib.testing.local_hub.payloads import is_large
from gglib.testing.local_hub.record import Host, Record, RecordedRequest
from gglib.testing.local_hub.responses import CACHE_PATH, HubState
from gglib.testing.local_hub.store import Files, Repository, Store

BACKLOG = 128
JOIN_S = 5.0


class LocalHub:
    """A model hub on this machine, as a context manager; it runs in its own threads, so a test may block.

    ::

        with LocalHub() as hub:
            hub.add_repository("ada/coder-GGUF", {"coder-Q4_K_M.gguf": b"GGUF...", "README.md": b"hi"})
            hub.url                                    # the value for HF_ENDPOINT
            hub.requests                               # all requests to its hosts, oldest first

    **Hosts.** ``url`` is the hub: the API, small files (after a relative redirect, as on the real one), and a redirect
    to ``cdn_url`` for each large file (``.gguf``, or 10 MB and more), with the headers ``X-Repo-Commit``,
    ``X-Linked-Size`` and ``X-Linked-ETag`` (the SHA-256). The file host has another name and port, and its own ETags;
    its addresses are signed, and ``expire_links()`` makes the old ones respond with 403. ``foreign_url`` is an
    unrelated host: plain files (``add_address``), and the target of redirects that must not receive a token. All three
    support Range, If-Range and strong ETags, keep connections open, and accept absolute targets, so that each can also
    act as a proxy.

    **Content** is bytes, a ``Path`` (sent by the kernel) or a ``Content``; ``sparse_file(size)`` is a file of zeros
    that takes no space. ``commit`` adds a commit; ``replace_in_place`` changes a file without one, which a hub never
    does and a web server does.

    **Access.** ``accept_token`` makes a token valid; others get 401. Gated repositories (``gated="auto"``) show their
    listing to everyone and their files to accounts with access (``grant``). Private and missing ones look the same.

    **Faults.** ``inject_fault(fault, file=…, host=…, times=…)``: see ``Fault``, ``rate_limited``, ``failing``. With
    ``file`` it applies to the responses of the host that sends that file's bytes (``host``: of another one), else to
    every response; ``times`` limits the number of responses. The first matching rule is used. The returned rule counts
    (``used``) and can be removed (``end()``).

    **Exact moments.** ``pause_after(file, n)`` stops all senders of a file once they have sent ``n`` bytes in total
    (over all responses), until the gate's ``release()``; ``wait_until_sent(file, n)`` waits for that many.

    Leaving the context closes all connections at once, including those that stall or wait at a gate.
    """

    def __init__(self, *, cdn_host: str = "localhost", page_limit: int = 1000) -> None:
        self.record = Record()
        self.meters = Meters()
        self.faults = Faults()
        self.shutdown = threading.Event()
        self._store = Store()
        self._page_limit = page_limit
        self._tokens: frozenset[str] = frozenset()
        self._granted: frozenset[tuple[str, str]] = frozenset()
        self._link_number = 1
        self._listeners = {host: _listen() for host in Host}
        hosts = {Host.HUB: "127.0.0.1", Host.CDN: cdn_host, Host.FOREIGN: cdn_host}
        self._urls = {
            host: f"http://{hosts[host]}:{listener.getsockname()[1]}"
            for host, listener in self._listeners.items()
        }
        self._lock = threading.Lock()
        self._wake, self._woken = socket.socketpair()
        self._open: dict[int, tuple[threading.Thread, socket.socket]] = {}
        self._acceptor = threading.Thread(target=self._accept, name="local-hub", daemon=True)

    # --- addresses ---

    @property
    def url(self) -> str:
        """The hub's address, without a trailing slash."""
        return self._urls[Host.HUB]

    @property
    def cdn_url(self) -> str:
        """The address of the host that serves large files."""
        return self._urls[Host.CDN]

    @property
    def foreign_url(self) -> str:
        """The address of an unrelated host."""
        return self._urls[Host.FOREIGN]

    def resolve_url(self, repo: str, name: str, revision: str = "main") -> str:
        """Return the hub's address of a file."""
        return f"{self.url}/{repo}/resolve/{revision}/{name}"

    # --- content ---

    def add_repository(
        self,
        repo: str,
        files: Mapping[str, Source],
        **shown: Any,  # noqa: ANN401 - the fields of Repository
    ) -> str:
        """Add a repository with one commit, and return that commit; ``shown`` are fields of ``Repository``."""
        commit = self._store.new_commit()
        self._store.put(Repository(repo=repo, commits=((commit, _contents(files)),), **shown))
        return commit

    def has_repository(self, repo: str) -> bool:
        """Whether there is a repository of this name."""
        return self._store.get(repo) is not None

    def newest_commit(self, repo: str) -> str:
        """Return the head of ``main``."""
        return self._get(repo).commits[-1][0]

    def commit(self, repo: str, changes: Mapping[str, Source | None], **shown: Any) -> str:  # noqa: ANN401 - as above
        """Add a commit that adds, changes or (None) deletes files; return it."""
        old = self._get(repo)
        commit = self._store.new_commit()
        files = dict(old.files(old.commits[-1][0]))
        files.update(_contents({name: source for name, source in changes.items() if source is not None}))
        kept = {name: file for name, file in files.items() if changes.get(name, file) is not None}
        self._store.put(replace(old, commits=(*old.commits, (commit, kept)), **shown))
        return commit

    def replace_in_place(self, repo: str, name: str, source: Source) -> None:
        """Change a file in every commit that has it."""
        old = self._get(repo)
        commits = tuple(
            (sha, {**files, name: Content.of(source)} if name in files else files)
            for sha, files in old.commits
        )
        self._store.put(replace(old, commits=commits))

    def rename_repository(self, old: str, new: str) -> None:
        """Rename a repository; the old name responds with 307 and a relative address."""
        self._store.rename(old, new)

    def remove_repository(self, repo: str) -> None:
        """Delete a repository."""
        self._store.remove(repo)

    def add_address(self, path: str, source: Source) -> str:
        """Add a plain file on the foreign host, or replace it; return its address."""
        self._store.put_address(path, Content.of(source))
        return f"{self.foreign_url}{path}"

    # --- access ---

    def accept_token(self, token: str) -> None:
        """Make a token valid; invalid tokens get 401."""
        self._tokens |= {token}

    def grant(self, token: str, repo: str) -> None:
        """Make a token valid and give it access to a gated repository."""
        self.accept_token(token)
        self._granted |= {(token, repo)}

    def expire_links(self) -> None:
        """Invalidate every signed address that was issued so far."""
        self._link_number += 1

    # --- faults ---

    def inject_fault(
        self,
        fault: Fault,
        *,
        file: str | None = None,
        host: Host | None = None,
        times: int | None = None,
        where: Callable[[str], bool] | None = None,
    ) -> FaultRule:
        """Apply a fault to responses: about a file, of one host, the next ``times``; ``where`` filters by target.

        Without ``host``, a fault with ``file`` applies to the responses of the host that sends the file's bytes.
        """
        where_from = host if host is not None or file is None else self._sender_of(file)

        def applies(at: Host, file_name: str, target: str) -> bool:
            if host is None and file is not None and at is Host.HUB and CACHE_PATH not in target:
                return False  # the redirect to a small file does not send its bytes
            is_meant = file is None or file_name == file
            return is_meant and where_from in (None, at) and (where is None or where(target))

        rule = FaultRule(fault, applies, times)
        self.faults.add(rule)
        return rule

    def clear_faults(self) -> None:
        """Remove all faults."""
        self.faults.clear()

    # --- requests and progress ---

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request to any of the hosts so far, oldest first; copies."""
        self.meters.wait_until_counted()
        return self.record.read()

    def requests_of(self, file: str, host: Host | None = None) -> list[RecordedRequest]:
        """Return the requests for a file, optionally those to one of the hosts."""
        return [seen for seen in self.requests if seen.file_name == file and host in (None, seen.host)]

    def forget_requests(self) -> None:
        """Clear the record, unless a request is in progress."""
        self.record.clear()

    def wait_for_requests(self, count: int, timeout_s: float = DEFAULT_WAIT_S) -> None:
        """Wait for ``count`` requests; raises ``TimeoutError``."""
        if not self.record.wait_for_requests(count, timeout_s):
            raise TimeoutError(f"{len(self.requests)} requests came, not {count}.")

    def pause_after(self, file: str, sent_bytes: int) -> PauseGate:
        """Stop the senders of a file once they have sent ``sent_bytes`` in total, until the gate is released."""
        return self.meters.add_gate(file, sent_bytes)

    def sent_bytes(self, file: str) -> int:
        """Return how many bytes of a file were sent so far, over all responses."""
        return self.meters.sent_bytes(file)

    def wait_until_sent(self, file: str, count: int, timeout_s: float = DEFAULT_WAIT_S) -> None:
        """Wait until ``count`` bytes of a file were sent; raises ``TimeoutError``."""
        self.meters.wait_until_sent(file, count, timeout_s)

    # --- lifecycle ---

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection and join every thread."""
        self.shutdown.set()
        self.meters.close()
        self._wake.send(b"!")
        self._acceptor.join(JOIN_S)
        for sock in (*self._listeners.values(), self._wake, self._woken):
            sock.close()
        for thread, sock in self._connections():
            _shut(sock)
            thread.join(JOIN_S)

    def state(self) -> HubState:
        """Return the state that responses depend on."""
        return HubState(
            store=self._store,
            hub_url=self.url,
            cdn_url=self.cdn_url,
            tokens=self._tokens,
            granted=self._granted,
            page_limit=self._page_limit,
            link_number=self._link_number,
        )

    def drop_connections(self) -> None:
        """Close all connections now, as a failing network does; new ones are accepted."""
        for _, sock in self._connections():
            _shut(sock)

    def _accept(self) -> None:
        number = 0
        with selectors.DefaultSelector() as selector:
            for host, listener in self._listeners.items():
                selector.register(listener, selectors.EVENT_READ, host)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.data is None:
                        return
                    sock, _ = self._listeners[key.data].accept()
                    sock.setblocking(True)  # some systems inherit the listener's mode
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._start(sock, key.data, number)
                    number += 1

    def _start(self, sock: socket.socket, host: Host, number: int) -> None:
        connection = Connection(sock, host, number, self)
        thread = threading.Thread(
            target=self._serve, args=(connection, number), name=f"local-hub-{number}", daemon=True
        )
        with self._lock:
            self._open[number] = (thread, sock)
        thread.start()

    def _serve(self, connection: Connection, number: int) -> None:
        try:
            connection.serve()
        finally:
            with self._lock:
                del self._open[number]

    def _connections(self) -> list[tuple[threading.Thread, socket.socket]]:
        with self._lock:
            return list(self._open.values())

    def _get(self, repo: str) -> Repository:
        found = self._store.get(repo)
        if found is None:
            raise KeyError(repo)
        return found

    def _sender_of(self, file: str) -> Host:
        if self._store.address(file) is not None:
            return Host.FOREIGN
        commits = (commit for repository in self._store.all() for commit in repository.commits)
        is_apart = any(file in files and is_large(file, files[file]) for _, files in commits)
        return Host.CDN if is_apart else Host.HUB


def _listen() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listener.setblocking(False)
    return listener


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed by its client or its own thread meanwhile
        sock.shutdown(socket.SHUT_RDWR)


def _contents(files: Mapping[str, Source]) -> Files:
    return {name: Content.of(source) for name, source in files.items()}
