"""What clients see when a node, its machine, its network or the front is lost, with real servers on hosts of their own.

``python -m bench.lost_nodes`` prints the figures; the limits here are those that docs/cluster.md promises, with room
for a busy machine.
"""

import itertools

import pytest
from tests.integration.chaos.verdict import Kind
from tests.integration.cluster.scenarios import LOAD_S, Fault, Moment, blink, kill_front, lose_node
from tests.support.network.cluster import HostCluster
from tests.support.waiting import until

MOVES_WITHIN_S = 3.0
"""What docs/cluster.md promises."""
DELAY_S = 2.0
"""Of a busy machine."""
ROOM_S = 10.0
"""Loads of engines, requests, and delays of a busy machine."""


@pytest.mark.parametrize(("fault", "moment"), list(itertools.product(Fault, Moment)))
async def test_a_node_is_lost(machines: HostCluster, fault: Fault, moment: Moment) -> None:
    """Only a response that has begun ends with an error; all other requests are answered by the other node."""
    outcome = await lose_node(machines, fault, moment)
    assert outcome.kind is (Kind.CUT if moment is Moment.STREAM else Kind.ANSWERED), outcome
    if moment is Moment.STREAM:
        assert outcome.seen.endswith("then node_lost")
    assert outcome.lost not in outcome.served_by
    load_s = LOAD_S if moment is Moment.LOADING else 0.0
    ends_s = (outcome.end_s, outcome.service_s or 0.0)
    assert max(ends_s) < MOVES_WITHIN_S + load_s + ROOM_S, outcome
    assert outcome.moved_s is not None
    assert outcome.moved_s < MOVES_WITHIN_S + DELAY_S, outcome
    await until(lambda: not machines.strays())


async def test_a_short_cut_is_not_noticed(machines: HostCluster) -> None:
    """TCP sends again what was lost."""
    outcome = await blink(machines)
    assert outcome.kind is Kind.ANSWERED, outcome
    assert outcome.seen == "200, the whole answer"


async def test_the_front_is_killed(machines: HostCluster) -> None:
    """The nodes forget its requests, and it serves again as soon as it is started."""
    outcome = await kill_front(machines)
    assert outcome.seen.endswith("the end of the connection")
    assert outcome.forgotten_s is not None
    assert outcome.forgotten_s < ROOM_S
    await until(lambda: not machines.strays())
