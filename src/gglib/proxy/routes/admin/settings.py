"""Shows the settings of the server. For admins."""

from gglib.core.ports.settings import SettingTable
from gglib.proxy.errors import NoMachineError
from gglib.proxy.response import Response
from gglib.proxy.routes.admin.groups import MACHINE_GROUP
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import OperationSpec


async def list_settings(call: Call[None, None], response: Response) -> None:
    """Send the settings in use."""
    await response.send(call.machine.settings.settings())


OPERATIONS = (
    operation(
        list_settings,
        OperationSpec(
            id="listSettings",
            method="GET",
            path="/gglib/settings",
            group=MACHINE_GROUP,
            summary="List the settings in use, and where each comes from",
            text="Like `gglib config --json`, with the settings of the server. Access keys are never sent, only their "
            "names. `gglib config` changes settings, on the server's machine.",
            response=SettingTable,
            errors=(NoMachineError,),
        ),
    ),
)
