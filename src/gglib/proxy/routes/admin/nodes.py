"""Lists the nodes of a front. For admins."""

from time import monotonic

from gglib.core.nodes import ClusterOverview
from gglib.core.version import __version__
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.groups import RUNTIME_GROUP
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import OperationSpec


async def list_nodes(call: Call[None, None], response: Response) -> None:
    """Send what is known of the nodes, without asking them."""
    cluster = call.services.cluster
    overview = ClusterOverview() if cluster is None else cluster.view.overview()
    await response.send(responses.Nodes.of(overview, now_s=monotonic(), own_version=__version__))


OPERATIONS = (
    operation(
        list_nodes,
        OperationSpec(
            id="listNodes",
            method="GET",
            path="/gglib/nodes",
            group=RUNTIME_GROUP,
            summary="List the nodes, with their models, memory and queues",
            text="Like `gglib node list --json`: what this server knows of its nodes and uses to choose one, about a "
            "second old. Responds at once, whatever the nodes do.",
            response=responses.Nodes,
        ),
    ),
)
