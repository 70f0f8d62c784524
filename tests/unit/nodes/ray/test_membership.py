"""Which nodes a front knows."""

import pytest

from gglib.nodes.ray.membership import Membership, is_member_name
from gglib.nodes.ray.messages import AgentReport, Member, Members


def member(name: str, url: str | None = "http://10.0.0.2:8080", key: str | None = "sk-node") -> Member:
    """Return a node with an agent."""
    return Member(name=name, is_connected=True, report=AgentReport(url=url, key=key))


def members(*found: Member, cluster: str = "one") -> Members:
    """Return what a cluster says."""
    return Members(cluster=cluster, members=found)


def urls(membership: Membership) -> dict[str, str]:
    """Return the addresses by name."""
    return {peer.name: peer.url for peer in membership.peers()}


class TestMembership:
    def test_nodes_are_sorted_by_name(self) -> None:
        """Whatever order the cluster has."""
        known = Membership()
        assert known.receive(members(member("b", "http://b:1"), member("a", "http://a:1/")))
        assert list(urls(known).items()) == [("a", "http://a:1"), ("b", "http://b:1")]
        assert [peer.key for peer in known.peers()] == ["sk-node", "sk-node"]

    def test_the_same_again_is_no_change(self) -> None:
        """The watches go on."""
        known = Membership()
        known.receive(members(member("a")))
        assert not known.receive(members(member("a")))

    @pytest.mark.parametrize(
        "silent",
        [
            Member(name="a"),
            member("a", url=None),
            member("a", url="not an address"),
            member("a", url="ftp://a"),
        ],
    )
    def test_a_node_stays_where_it_was_while_nothing_is_heard(self, silent: Member) -> None:
        """Its gglib goes on without agent and raylet."""
        known = Membership()
        assert not known.receive(members(silent))
        assert urls(known) == {}
        known.receive(members(member("a")))
        assert not known.receive(members(silent))
        assert urls(known) == {"a": "http://10.0.0.2:8080"}

    def test_a_node_moves(self) -> None:
        """It was restarted at another port, or with another key."""
        known = Membership()
        known.receive(members(member("a")))
        assert known.receive(members(member("a", "http://10.0.0.2:9090")))
        assert urls(known) == {"a": "http://10.0.0.2:9090"}
        assert known.receive(members(member("a", "http://10.0.0.2:9090", key=None)))
        assert known.peers()[0].key is None

    def test_a_node_leaves_its_cluster(self) -> None:
        """The others stay."""
        known = Membership()
        known.receive(members(member("a"), member("b")))
        assert known.receive(members(member("b")))
        assert list(urls(known)) == ["b"]

    def test_a_head_that_has_forgotten_its_nodes_does_not_remove_them(self) -> None:
        """Until they are nodes of its cluster, and leave that."""
        known = Membership()
        known.receive(members(member("a"), member("b")))
        assert not known.receive(members(cluster="two"))
        assert list(urls(known)) == ["a", "b"]
        known.receive(members(member("a", "http://10.0.0.2:9090"), cluster="two"))
        assert known.receive(members(cluster="two"))
        assert list(urls(known)) == ["b"]

    @pytest.mark.parametrize("key", ["", "sk\n", "schlüssel"])
    def test_a_key_that_cannot_be_sent_is_none(self, key: str) -> None:
        """It would break the request apart."""
        known = Membership()
        known.receive(members(member("a", key=key)))
        assert known.peers()[0].key is None

    def test_a_name_that_is_none_is_left_out(self) -> None:
        """The key of a table must not be made of it."""
        known = Membership()
        known.receive(members(member("a/b"), member("a")))
        assert list(urls(known)) == ["a"]


@pytest.mark.parametrize("name", ["a", "box-1.lan", "A_1", "a" * 64])
def test_names(name: str) -> None:
    """A name is also a label of Ray and the key of a table."""
    assert is_member_name(name)


@pytest.mark.parametrize("name", ["", "-a", "a-", "a.", "a b", "é", "a" * 65])
def test_no_names(name: str) -> None:
    """Ray or TOML would not accept them."""
    assert not is_member_name(name)
