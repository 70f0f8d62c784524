"""The page of a server with nodes: what each does, names that stand for different files, and loads on a node."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.support.page_server import PageServer, page_server

from gglib.testing import write_tiny_gguf

Axe = Callable[[Page], list[str]]


@pytest.fixture(scope="module")
def front() -> Iterator[PageServer]:
    """Yield a server with two nodes that have different files of one name, and one that cannot be reached."""
    with page_server(models=("llama-3b", "only-tower")) as tower, page_server(models=("llama-3b",)) as box:
        for number, node in enumerate((tower, box)):
            file = write_tiny_gguf(node.home / "clash.gguf")
            file.write_bytes(file.read_bytes() + bytes(number))  # of another size
            node.request("POST", "/gglib/models", {"path": str(file), "name": "clash"})
        nodes = f'[nodes]\ntower = "{tower.url}"\nbox = "{box.url}"\ngone = "http://127.0.0.1:9"\n'
        with page_server(models=("own",), settings=nodes) as server:
            yield server


def test_nodes_are_shown_with_their_models_and_problems(page: Page, axe: Axe, front: PageServer) -> None:
    """On a wide screen and on a small phone, without a fault of accessibility."""
    front.ask("only-tower")
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{front.url}/#/now")
        nodes = page.get_by_role("region", name="Nodes", exact=True)
        tower = nodes.get_by_role("listitem").filter(has=page.get_by_role("heading", name="tower"))
        expect(tower.get_by_role("link", name="only-tower")).to_be_visible()
        gone = nodes.get_by_role("listitem").filter(has=page.get_by_role("heading", name="gone"))
        expect(gone).to_contain_text("down")
        expect(gone).to_contain_text("cannot be reached")
        expect(nodes).to_contain_text("'clash' is another file on box than on tower")
        expect(nodes.get_by_role("button", name="Copy: gglib set --name NEW clash")).to_be_visible()
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_models_and_requests_have_their_nodes(page: Page, axe: Axe, front: PageServer) -> None:
    """A model that only nodes have has no settings here."""
    front.ask("only-tower")
    page.goto(f"{front.url}/#/models")
    row = page.get_by_role("row").filter(has_text="only-tower")
    expect(row).to_contain_text("ready")
    expect(row.get_by_title("tower (ready)")).to_be_visible()
    assert axe(page) == []
    page.goto(f"{front.url}/#/models/only-tower")
    expect(page.get_by_text("Only nodes have this model")).to_be_visible()
    expect(page.get_by_role("button", name="Pin")).to_have_count(0)
    assert axe(page) == []
    page.goto(f"{front.url}/#/requests")
    expect(page.get_by_role("columnheader", name="Node")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="only-tower").first).to_contain_text("tower")


def test_a_model_is_loaded_on_a_chosen_node(page: Page, front: PageServer) -> None:
    """With the keyboard alone, too: the choice is a select."""
    page.goto(f"{front.url}/#/now")
    page.get_by_role("button", name="Load a model").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("llama-3b").check()
    choice = dialog.get_by_label("Node")
    choice.focus()
    choice.select_option("box")
    dialog.get_by_role("button", name="Load", exact=True).press("Enter")
    nodes = page.get_by_role("region", name="Nodes", exact=True)
    box = nodes.get_by_role("listitem").filter(has=page.get_by_role("heading", name="box"))
    expect(box.get_by_role("link", name="llama-3b")).to_be_visible()


def test_without_nodes_nothing_of_them_is_shown(page: Page, server: PageServer) -> None:
    """As before."""
    page.goto(f"{server.url}/#/now")
    expect(page.get_by_role("heading", name="Queue")).to_be_visible()
    expect(page.get_by_role("heading", name="Nodes")).to_have_count(0)
    page.goto(f"{server.url}/#/models")
    expect(page.get_by_role("columnheader", name="State")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Nodes")).to_have_count(0)
