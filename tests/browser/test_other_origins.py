"""Pages of other origins, in a browser: they read nothing of the admin API, change nothing, and cannot embed the page.

The table is that of docs/api.md, "Authorization". The same attacks succeed against a server that accepts everything.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Frame, JSHandle, expect
from tests.support.foreign_server import ATTACKS, PAGE, ForeignServer, foreign_server
from tests.support.page_server import PageServer, page_server

from gglib.proxy.web.reading import read_page

KEY = "sk-origin-test-key"
MODEL = "llama-3b"
APP = f"/web/{read_page().revision}/app.js"
STYLE = f"/web/{read_page().revision}/style/base.css"
ADMIN = (
    *(
        "/gglib/status",
        "/gglib/requests",
        "/gglib/logs/gglib",
        "/gglib/settings",
        "/gglib/keys",
        "/gglib/system",
    ),
    *(
        "/gglib/downloads",
        "/gglib/usage",
        "/gglib/profiles",
        "/gglib/clients?model=llama-3b",
        "/gglib/hub/models?q=x",
    ),
)
CLIENT = ("/v1/models", "/gglib/models", "/api/tags")
OPEN = ("/", APP, "/health", "/ready")
WRITES = (
    ("POST", "/gglib/stop", "{}"),
    ("POST", f"/gglib/models/{MODEL}/unload", "{}"),
    ("POST", "/gglib/models/gemma-4b/load", "{}"),
    ("POST", "/gglib/models/gemma-4b/pin", "{}"),
    ("POST", "/gglib/downloads", '{"target":"evil/model:Q4_K_M"}'),
    ("POST", "/api/pull", '{"model":"evil/model:Q4_K_M"}'),
    ("POST", "/models/unload", f'{{"model":"{MODEL}"}}'),
    ("DELETE", "/gglib/models/gemma-4b", "{}"),
    ("DELETE", "/api/delete", '{"model":"gemma-4b"}'),
    ("PATCH", "/gglib/models/gemma-4b", '{"name":"stolen"}'),
    ("PUT", "/gglib/profiles/stolen", '{"system":"x"}'),
)
LOOPBACK_PAGES = ("another port", "another name")
"""Origins that may use models, like a notebook's: CORS lets them read, and the rights of a client decide."""
FOREIGN_PAGES = ("a foreign name", "no origin", "a file")
WAYS_TO_POST = 8
"""Three kinds of ``fetch``, two of beacons, and three forms."""
PAGES = (*LOOPBACK_PAGES, *FOREIGN_PAGES, "rebinding")


@pytest.fixture(scope="module")
def foreign() -> Iterator[ForeignServer]:
    """Yield the server whose pages attack."""
    with foreign_server() as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    """Yield a server without keys, with a model in memory."""
    with page_server() as running:
        running.ask(MODEL)
        yield running


@pytest.fixture(scope="module")
def keyed() -> Iterator[PageServer]:
    """Yield a server that needs a key, with a model in memory."""
    with page_server(key=KEY) as running:
        running.ask(MODEL)
        yield running


class Attacker:
    """A page of another origin, and what it tries."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self._attacks: JSHandle = frame.evaluate_handle(ATTACKS)

    def call(self, name: str, *arguments: object) -> Any:
        """Call one of the functions of ``foreign_pages.js``."""
        return self._attacks.evaluate("(attacks, [name, args]) => attacks[name](...args)", [name, arguments])


def attacker(
    context: BrowserContext, foreign: ForeignServer, kind: str, port: str, tmp_path: Path
) -> Attacker:
    """Open a page of a kind of origin; ``port``: of the attacked server."""
    page = context.new_page()
    if kind == "a file":
        file = tmp_path / "page.html"
        file.write_text(PAGE, encoding="utf-8")
        page.goto(file.as_uri())
    elif (
        kind == "rebinding"
    ):  # a name of the page's own that leads to gglib now: the page has the origin of gglib's port
        page.goto(f"http://evil.test:{port}/")
    elif kind == "no origin":
        page.goto(foreign.url())
        page.evaluate("""() => new Promise((resolve) => {
          const frame = document.createElement('iframe');
          frame.sandbox = 'allow-scripts allow-forms allow-popups';
          frame.srcdoc = '<!doctype html><body></body>';
          frame.onload = resolve;
          document.body.append(frame);
        })""")
        return Attacker(page.frames[1])
    else:
        host = {"another port": "127.0.0.1", "another name": "localhost", "a foreign name": "evil.test"}[kind]
        page.goto(foreign.url(host))
    return Attacker(page.main_frame)


def target_of(server: PageServer, kind: str) -> str:
    """Return the address that a page attacks: its own one after rebinding."""
    return server.url.replace("127.0.0.1", "evil.test") if kind == "rebinding" else server.url


def port_of(server: PageServer) -> str:
    """Return the port of a server."""
    return server.url.rpartition(":")[2]


def state_of(server: PageServer) -> dict[str, object]:
    """Return what attacks try to change."""
    models = json.loads(server.request("GET", "/gglib/models"))["models"]
    status = json.loads(server.request("GET", "/gglib/status"))
    return {
        "models": [(model["name"], model["is_pinned"]) for model in models],
        "residents": [(resident["model_name"], resident["pid"]) for resident in status["residents"]],
        "profiles": json.loads(server.request("GET", "/gglib/profiles")),
        "downloads": json.loads(server.request("GET", "/gglib/downloads")),
        "hub": len(server.hub.requests),
    }


def check_reads(page: Attacker, server: PageServer, kind: str) -> None:
    """Pages on loopback read what clients may, without paths; other pages read nothing; after rebinding, refusals."""
    target = target_of(server, kind)
    paths = (*ADMIN, "/gglib/events", *CLIENT, *OPEN)
    answers = dict(zip(paths, page.call("readAll", [target + path for path in paths]), strict=True))
    statuses = {path: None if answer is None else answer[0] for path, answer in answers.items()}
    is_loopback = kind in LOOPBACK_PAGES
    refused = 401 if server.key and is_loopback else 403
    if kind in FOREIGN_PAGES:
        assert set(statuses.values()) == {None}
    else:
        assert {statuses[path] for path in (*ADMIN, "/gglib/events")} == {refused}
        assert {statuses[path] for path in CLIENT} == {200 if is_loopback and not server.key else refused}
        assert {statuses[path] for path in ("/health", "/ready")} == {200}
        assert statuses["/"] == (200 if is_loopback else 403)
        assert statuses[APP] == (None if is_loopback else 403)  # files of the page have no CORS headers
    assert str(server.home) not in json.dumps(list(answers.values()))
    if kind != "rebinding":
        assert sum(page.call("readAllOpaque", [target + path for path in (*ADMIN, *CLIENT, *OPEN)])) == 0


def check_writes(page: Attacker, server: PageServer, kind: str) -> None:
    """Nothing changes by any method, content type, form or beacon."""
    before = state_of(server)
    page.call("writeAll", target_of(server, kind), WRITES)
    assert state_of(server) == before


def check_embedding(page: Attacker, server: PageServer, kind: str) -> None:
    """Neither the page nor its files nor data can be embedded.

    CORS lets pages on loopback import the modules, which have no data: they are the same for all.
    """
    target = target_of(server, kind)
    loaded = page.call("embed", target + APP, target + STYLE, f"{target}/gglib/events?requests=true")
    names = {name for name, end in loaded.items() if end == "load"}
    assert names <= ({"module", "preload", "imported"} if kind in LOOPBACK_PAGES else set())
    for path in ("/", "/gglib/status", APP):
        page.frame.evaluate(_FRAME, target + path)
    framed = [child.evaluate("document.documentElement.innerText") for child in page.frame.child_frames]
    assert not [
        text for text in framed if any(word in text for word in ("residents", MODEL, "Models", "import"))
    ]


_FRAME = """url => new Promise((resolve) => {
  const frame = document.createElement('iframe');
  frame.onload = resolve;
  frame.src = url;
  document.body.append(frame);
})"""


@pytest.mark.parametrize("kind", PAGES)
def test_without_keys(
    context: BrowserContext, foreign: ForeignServer, server: PageServer, tmp_path: Path, kind: str
) -> None:
    """The browser's page of this machine is an admin there, so these are the attacks that matter most."""
    page = attacker(context, foreign, kind, port_of(server), tmp_path)
    check_reads(page, server, kind)
    check_writes(page, server, kind)
    check_embedding(page, server, kind)


@pytest.mark.parametrize("kind", PAGES)
def test_with_keys(
    context: BrowserContext, foreign: ForeignServer, keyed: PageServer, tmp_path: Path, kind: str
) -> None:
    """A page without a key gets 401, if it may read that."""
    page = attacker(context, foreign, kind, port_of(keyed), tmp_path)
    check_reads(page, keyed, kind)
    check_writes(page, keyed, kind)


@pytest.mark.parametrize("kind", ["another port", "a foreign name"])
def test_a_window_of_the_page_is_out_of_reach(
    context: BrowserContext, foreign: ForeignServer, server: PageServer, tmp_path: Path, kind: str
) -> None:
    """The window opens, as by a link, but neither side has a reference to the other."""
    page = attacker(context, foreign, kind, port_of(server), tmp_path)
    with context.expect_page() as opened:
        assert page.call("open", f"{server.url}/") == "closed"
    expect(opened.value).to_have_title(re.compile("^Now"))
    assert opened.value.evaluate("window.opener") is None


def test_a_sandboxed_frame_opens_no_window_of_the_page(
    context: BrowserContext, foreign: ForeignServer, server: PageServer, tmp_path: Path
) -> None:
    """Its windows inherit the sandbox, in which a document with this opener policy is not shown."""
    page = attacker(context, foreign, "no origin", port_of(server), tmp_path)
    with context.expect_page() as opened:
        page.frame.evaluate("url => { window.open(url) }", f"{server.url}/")
    expect(opened.value.get_by_text("ERR_BLOCKED_BY_RESPONSE")).to_be_visible()


@pytest.mark.parametrize("kind", ["a foreign name", "no origin", "a file"])
def test_the_same_attacks_work_where_nothing_forbids_them(
    context: BrowserContext, foreign: ForeignServer, tmp_path: Path, kind: str
) -> None:
    """The control: against a server without rules everything is read, every request arrives, and elements load."""
    page = attacker(context, foreign, kind, "", tmp_path)
    with foreign_server() as victim:
        assert page.call("readAll", [victim.url()]) == [[200, PAGE]]
        page.call("writeAll", victim.url(), WRITES)
        assert {(method, path) for method, path, _ in WRITES} <= set(victim.received)
        assert victim.received.count(("POST", "/gglib/stop")) == WAYS_TO_POST
        loaded = page.call("embed", *(f"{victim.url()}/a.{suffix}" for suffix in ("js", "css", "css")))
        assert {name for name, end in loaded.items() if end == "load"} >= {
            *("script", "module", "style", "preload", "imported", "dataStyle", "dataScript"),
        }
        page.frame.evaluate(_FRAME, victim.url())
        assert page.frame.child_frames[-1].evaluate("document.title") == "A page"
        if kind != "no origin":
            assert page.call("open", victim.url(), 300) == "length 0"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("fixture", ["server", "keyed"])
def test_the_own_page_may_do_everything(
    context: BrowserContext, request: pytest.FixtureRequest, fixture: str, host: str
) -> None:
    """Under both loopback names, with a key where keys are set."""
    server: PageServer = request.getfixturevalue(fixture)
    page = context.new_page()
    page.add_init_script(f"sessionStorage.setItem('gglib.key', '{KEY}')")
    page.goto(server.url.replace("127.0.0.1", host))
    expect(page.get_by_role("heading", level=1)).to_have_text("Now")
    expect(page.get_by_text(MODEL).first).to_be_visible()
    own = Attacker(page.main_frame)
    headers = {"authorization": f"Bearer {KEY}"} if server.key else {}
    answers = own.call("readAll", (*ADMIN, *CLIENT, *OPEN), headers)
    assert {status for status, _ in answers} == {200}


@pytest.mark.parametrize("kind", ["another port", "rebinding", "a foreign name"])
def test_an_admin_key_decides(
    context: BrowserContext, foreign: ForeignServer, keyed: PageServer, tmp_path: Path, kind: str
) -> None:
    """Where keys are set, a page that has one is an admin, if its origin is allowed; a rebinding page has none."""
    page = attacker(context, foreign, kind, port_of(keyed), tmp_path)
    urls = [f"{target_of(keyed, kind)}/gglib/status"]
    (answer,) = page.call("readAll", urls, {"authorization": f"Bearer {KEY}"})
    assert (None if answer is None else answer[0]) == (None if kind in FOREIGN_PAGES else 200)
    (wrong,) = page.call("readAll", urls, {"authorization": "Bearer sk-wrong-key"})
    assert wrong is None or wrong[0] in {401, 403}
