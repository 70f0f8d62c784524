"""Describes and checks the machine of the server. For admins."""

from gglib.proxy.errors import NoMachineError
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.groups import MACHINE_GROUP
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import OperationSpec


async def show_system(call: Call[None, None], response: Response) -> None:
    """Send the facts now."""
    await response.send(responses.System.of(await call.machine.system.system()))


async def check_machine(call: Call[None, None], response: Response) -> None:
    """Run the checks, and send their results."""
    await response.send(responses.Checks(checks=await call.machine.system.check()))


OPERATIONS = (
    operation(
        show_system,
        OperationSpec(
            id="showSystem",
            method="GET",
            path="/gglib/system",
            group=MACHINE_GROUP,
            summary="Show the server's version, its machine and its engine",
            response=responses.System,
            errors=(NoMachineError,),
        ),
    ),
    operation(
        check_machine,
        OperationSpec(
            id="checkMachine",
            method="GET",
            path="/gglib/doctor",
            group=MACHINE_GROUP,
            summary="Check the machine for problems",
            text="The checks of `gglib doctor`, with the settings of the server. Takes seconds; requests at the same "
            "time share one run.",
            response=responses.Checks,
            errors=(NoMachineError,),
        ),
    ),
)
