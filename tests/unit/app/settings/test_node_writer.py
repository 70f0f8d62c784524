"""Changes of the table ``nodes`` in ``config.toml``: everything else stays."""

import tomllib
from pathlib import Path

import pytest

from gglib.app.settings.node_writer import drain_node, remove_node, set_node
from gglib.core.errors import InvalidSettingError

BEFORE = """# my settings
port = 9000

[nodes]
tower = "http://tower:8080"  # upstairs

[nodes.box]
# in the cellar
url = "http://box:8080"
key_env = "BOX_KEY"
ca = "/etc/ca.pem"

[aliases]
fast = "tiny"  # the small one
"""
COMMENTS = ("# my settings", "# in the cellar", "# the small one")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a file with two nodes."""
    path = tmp_path / "config.toml"
    path.write_text(BEFORE)
    return path


def nodes_of(path: Path) -> dict[str, object]:
    """Return the table, after a check that everything else stayed."""
    text = path.read_text()
    content = tomllib.loads(text)
    assert content["port"] == 9000
    assert content["aliases"] == {"fast": "tiny"}
    assert all(comment in text for comment in COMMENTS)
    table: dict[str, object] = content["nodes"]
    return table


def test_a_node_is_added_below_the_others(config: Path) -> None:
    """As a table of its own; a missing file is made."""
    set_node(config, "new", {"url": "https://new", "key_env": "NEW_KEY"})
    assert nodes_of(config)["new"] == {"url": "https://new", "key_env": "NEW_KEY"}
    other = config.with_name("other.toml")
    set_node(other, "new", {"url": "https://new"})
    assert other.read_text() == '[nodes.new]\nurl = "https://new"\n'


def test_a_node_is_changed_where_it_is(config: Path) -> None:
    """Entries that it has no more are removed; an address alone becomes a table."""
    set_node(config, "box", {"url": "https://box", "drain": True})
    set_node(config, "tower", {"url": "http://tower:9000", "key_env": "TOWER_KEY"})
    assert nodes_of(config) == {
        "box": {"url": "https://box", "drain": True},
        "tower": {"url": "http://tower:9000", "key_env": "TOWER_KEY"},
    }


def test_a_node_is_drained_and_again_not(config: Path) -> None:
    """In either form; twice is the same as once."""
    for name in ("box", "tower"):
        for _ in range(2):
            drain_node(config, name, is_drained=True)
    assert nodes_of(config)["tower"] == {"url": "http://tower:8080", "drain": True}
    assert "drain = true" in config.read_text()
    for name in ("box", "tower"):
        for _ in range(2):
            drain_node(config, name, is_drained=False)
    assert nodes_of(config) == {
        "box": {"url": "http://box:8080", "key_env": "BOX_KEY", "ca": "/etc/ca.pem"},
        "tower": {"url": "http://tower:8080"},
    }


def test_an_address_alone_stays_one_if_it_is_not_drained(config: Path) -> None:
    """There is nothing to undo."""
    before = config.read_text()
    drain_node(config, "tower", is_drained=False)
    assert config.read_text() == before


def test_a_node_is_removed(config: Path) -> None:
    """In either form."""
    remove_node(config, "tower")
    assert list(nodes_of(config)) == ["box"]
    remove_node(config, "box")
    assert "nodes" not in tomllib.loads(config.read_text()) or not tomllib.loads(config.read_text())["nodes"]


def test_an_unknown_node_cannot_be_drained(config: Path) -> None:
    """Another command may have removed it meanwhile."""
    with pytest.raises(InvalidSettingError, match="There is no node 'nowhere'"):
        drain_node(config, "nowhere", is_drained=True)


def test_a_file_with_something_else_in_its_place_is_not_changed(config: Path) -> None:
    """The error says what to do by hand."""
    config.write_text("nodes = 3\n")
    with pytest.raises(InvalidSettingError, match=r"add the table \[nodes.box\] to it by hand"):
        set_node(config, "box", {"url": "http://box"})
    assert config.read_text() == "nodes = 3\n"
