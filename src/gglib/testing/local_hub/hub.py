"""The hub itself: what it has, what goes wrong, what was seen; and the threads that serve it."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self

from gglib.testing.local_hub.answers import CACHE_PATH, Situation
from gglib.testing.local_hub.connection import Connection
from gglib.testing.local_hub.content import Content, Source
from gglib.testing.local_hub.faults import Fault, Faults, Rule
from gglib.testing.local_hub.meters import DEFAULT_WAIT_S, Gate, Meters
from gglib.testing.local_hub.payloads import is_large
from gglib.testing.local_hub.record import Place, Record, Seen
from gglib.testing.local_hub.store import Files, Repository, Store

BACKLOG = 128
JOIN_S = 5.0


class LocalHub:
    """A hub of models on this machine, as a context; it lives in threads of its own, so a test may block.

    ::

        with LocalHub() as hub:
            hub.add_repository("ada/coder-GGUF", {"coder-Q4_K_M.gguf": b"GGUF...", "README.md": b"hi"})
            hub.url                                    # what HF_ENDPOINT would be
            hub.requests                               # what was asked of all its hosts, oldest first

    **Hosts.** ``url`` is the hub: the API, small files (after a relative redirect, as on the real one), and a redirect
    to ``cdn_url`` for each large file (``.gguf``, or 10 MB and more), with the headers ``X-Repo-Commit``,
    ``X-Linked-Size`` and ``X-Linked-ETag`` (the SHA-256). The file host has another name and port, and ETags of its
    own; its addresses are signed, and ``expire_links()`` makes the old ones answer 403.
    ``foreign_url`` is somebody else's host: plain files (``add_address``), and the end of redirects that must not
    bring a token there. All three know Range, If-Range and strong ETags, keep connections open, and take absolute
    targets, so that each can also stand for a proxy.

    **Content** is bytes, a ``Path`` (sent by the kernel) or a ``Content``; ``hollow(size)`` is a file of zeros that
    takes no room. ``commit`` makes a further commit; ``replace_in_place`` changes a file under the same one, which a
    hub never does and a web server does.

    **Access.** ``accept_token`` makes a token known; others get 401. Gated repositories (``gated="auto"``) show their
    listing to everybody and their files to those who were let in (``grant``). Private and missing ones look the same.

    **Faults.** ``script(fault, file=…, place=…, times=…)``: see ``Fault``, ``rate_limited``, ``failing``. With ``file``
    it befalls the answers of the host that sends that file's bytes (``place``: of another one), else every answer;
    with ``times`` the next so many. Of several rules the first that applies counts. The rule that comes back counts
    (``used``) and can be taken back (``end()``).

    **Exact moments.** ``pause_after(file, n)`` stops all senders of a file once ``n`` bytes of it were sent in all
    (over all answers), until the gate's ``release()``; ``wait_until_sent(file, n)`` waits for that many.

    Leaving the context ends all connections at once, also those that stall or wait at a gate.
    """

    def __init__(self, *, cdn_host: str = "localhost", page_limit: int = 1000) -> None:
        self.record = Record()
        self.meters = Meters()
        self.faults = Faults()
        self.ending = threading.Event()
        self._store = Store()
        self._page_limit = page_limit
        self._tokens: frozenset[str] = frozenset()
        self._granted: frozenset[tuple[str, str]] = frozenset()
        self._link_number = 1
        self._listeners = {place: _listen() for place in Place}
        hosts = {Place.HUB: "127.0.0.1", Place.CDN: cdn_host, Place.FOREIGN: cdn_host}
        self._urls = {
            place: f"http://{hosts[place]}:{listener.getsockname()[1]}"
            for place, listener in self._listeners.items()
        }
        self._lock = threading.Lock()
        self._wake, self._woken = socket.socketpair()
        self._open: dict[int, tuple[threading.Thread, socket.socket]] = {}
        self._acceptor = threading.Thread(target=self._accept, name="local-hub", daemon=True)

    # --- where it is ---

    @property
    def url(self) -> str:
        """The hub's address, without a slash at its end."""
        return self._urls[Place.HUB]

    @property
    def cdn_url(self) -> str:
        """The address of the host that large files come from."""
        return self._urls[Place.CDN]

    @property
    def foreign_url(self) -> str:
        """The address of a host that is not the hub's."""
        return self._urls[Place.FOREIGN]

    def resolve_url(self, repo: str, name: str, revision: str = "main") -> str:
        """Return the hub's address of a file."""
        return f"{self.url}/{repo}/resolve/{revision}/{name}"

    # --- what it has ---

    def add_repository(
        self,
        repo: str,
        files: Mapping[str, Source],
        **shown: Any,  # noqa: ANN401 - the fields of Repository
    ) -> str:
        """Have a repository with one commit, and return that commit; ``shown`` are fields of ``Repository``."""
        commit = self._store.new_commit()
        self._store.put(Repository(repo=repo, commits=((commit, _contents(files)),), **shown))
        return commit

    def has_repository(self, repo: str) -> bool:
        """Whether there is a repository of this name."""
        return self._store.get(repo) is not None

    def newest_commit(self, repo: str) -> str:
        """Return the commit that ``main`` is."""
        return self._get(repo).commits[-1][0]

    def commit(self, repo: str, changes: Mapping[str, Source | None], **shown: Any) -> str:  # noqa: ANN401 - as above
        """Add a commit in which files are new, others, or (None) gone; return it."""
        old = self._get(repo)
        commit = self._store.new_commit()
        files = dict(old.files(old.commits[-1][0]))
        files.update(_contents({name: one for name, one in changes.items() if one is not None}))
        kept = {name: one for name, one in files.items() if changes.get(name, one) is not None}
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
        """Give a repository another name; the old one answers 307 with a relative address."""
        self._store.rename(old, new)

    def remove_repository(self, repo: str) -> None:
        """Have it no more."""
        self._store.remove(repo)

    def add_address(self, path: str, source: Source) -> str:
        """Have a plain file on the foreign host, or another one in its place; return its address."""
        self._store.put_address(path, Content.of(source))
        return f"{self.foreign_url}{path}"

    # --- who may have it ---

    def accept_token(self, token: str) -> None:
        """Know a token; one that the hub does not know is refused with 401."""
        self._tokens |= {token}

    def grant(self, token: str, repo: str) -> None:
        """Know a token and let it through a repository's gate."""
        self.accept_token(token)
        self._granted |= {(token, repo)}

    def expire_links(self) -> None:
        """Let the file host refuse every address that was given out until now."""
        self._link_number += 1

    # --- what goes wrong ---

    def script(
        self,
        fault: Fault,
        *,
        file: str | None = None,
        place: Place | None = None,
        times: int | None = None,
        where: Callable[[str], bool] | None = None,
    ) -> Rule:
        """Let a fault befall answers: about a file, of one host, the next ``times``; ``where`` judges the target.

        Without ``place``, a fault with ``file`` befalls the answers of the host that the file's bytes come from.
        """
        where_from = place if place is not None or file is None else self._sender_of(file)

        def applies(at: Place, subject: str, target: str) -> bool:
            if place is None and file is not None and at is Place.HUB and CACHE_PATH not in target:
                return False  # the redirect to a small file is not where its bytes come from
            is_meant = file is None or subject == file
            return is_meant and where_from in (None, at) and (where is None or where(target))

        rule = Rule(fault, applies, times)
        self.faults.add(rule)
        return rule

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self.faults.clear()

    # --- what was seen, and when ---

    @property
    def requests(self) -> list[Seen]:
        """Every request to any of the hosts until now, oldest first; copies."""
        self.meters.settle()
        return self.record.read()

    def requests_of(self, file: str, place: Place | None = None) -> list[Seen]:
        """Return the requests for a file, or of those the ones to one of the hosts."""
        return [one for one in self.requests if one.subject == file and place in (None, one.place)]

    def forget_requests(self) -> None:
        """Empty the record, when no request is under way."""
        self.record.clear()

    def wait_for_requests(self, count: int, timeout_s: float = DEFAULT_WAIT_S) -> None:
        """Wait until so many requests came; ``TimeoutError`` when they do not."""
        if not self.record.wait_for_requests(count, timeout_s):
            raise TimeoutError(f"{len(self.requests)} requests came, not {count}.")

    def pause_after(self, file: str, sent_bytes: int) -> Gate:
        """Stop the senders of a file once so many bytes of it were sent in all; until the gate is released."""
        return self.meters.add_gate(file, sent_bytes)

    def sent_bytes(self, file: str) -> int:
        """Return how many bytes of a file were sent until now, over all answers."""
        return self.meters.sent_bytes(file)

    def wait_until_sent(self, file: str, count: int, timeout_s: float = DEFAULT_WAIT_S) -> None:
        """Wait until so many bytes of a file were sent; ``TimeoutError`` when they are not."""
        self.meters.wait_until_sent(file, count, timeout_s)

    # --- its life ---

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End every connection and every thread."""
        self.ending.set()
        self.meters.end()
        self._wake.send(b"!")
        self._acceptor.join(JOIN_S)
        for sock in (*self._listeners.values(), self._wake, self._woken):
            sock.close()
        for thread, sock in self._connections():
            _shut(sock)
            thread.join(JOIN_S)

    def situation(self) -> Situation:
        """Return what decides an answer now."""
        return Situation(
            store=self._store,
            hub_url=self.url,
            cdn_url=self.cdn_url,
            tokens=self._tokens,
            granted=self._granted,
            page_limit=self._page_limit,
            link_number=self._link_number,
        )

    def drop_connections(self) -> None:
        """End all connections now, as a network does that goes away; new ones are taken."""
        for _, sock in self._connections():
            _shut(sock)

    def _accept(self) -> None:
        number = 0
        with selectors.DefaultSelector() as selector:
            for place, listener in self._listeners.items():
                selector.register(listener, selectors.EVENT_READ, place)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.data is None:
                        return
                    sock, _ = self._listeners[key.data].accept()
                    sock.setblocking(True)  # some systems hand the listener's way on
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._start(sock, key.data, number)
                    number += 1

    def _start(self, sock: socket.socket, place: Place, number: int) -> None:
        connection = Connection(sock, place, number, self)
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

    def _sender_of(self, file: str) -> Place:
        if self._store.address(file) is not None:
            return Place.FOREIGN
        commits = (commit for one in self._store.all() for commit in one.commits)
        is_apart = any(file in files and is_large(file, files[file]) for _, files in commits)
        return Place.CDN if is_apart else Place.HUB


def _listen() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listener.setblocking(False)
    return listener


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # its client, or its own thread, was faster
        sock.shutdown(socket.SHUT_RDWR)


def _contents(files: Mapping[str, Source]) -> Files:
    return {name: Content.of(source) for name, source in files.items()}
