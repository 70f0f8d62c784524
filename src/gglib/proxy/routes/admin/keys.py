"""Lists the access keys, with their rights, limits and use."""

from time import monotonic

from gglib.core.api_keys import LOCAL_KEY_NAME, ApiKey
from gglib.proxy.options import Services
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.groups import KEYS_GROUP
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import OperationSpec


async def list_keys(call: Call[None, None], response: Response) -> None:
    """Send all keys but gglib's own."""
    now_s = monotonic()
    keys = tuple(
        _key(name, key, call.services, now_s)
        for name, key in call.services.options.api_keys.items()
        if name != LOCAL_KEY_NAME
    )
    await response.send(responses.Keys(keys=keys))


def _key(name: str, key: ApiKey | str, services: Services, now_s: float) -> responses.Key:
    meter = services.limiter.meter(name)
    use = None if meter is None else meter.use(now_s)
    return responses.Key.of(name, ApiKey.admin(key) if isinstance(key, str) else key, use)


OPERATIONS = (
    operation(
        list_keys,
        OperationSpec(
            id="listKeys",
            method="GET",
            path="/gglib/keys",
            group=KEYS_GROUP,
            summary="List the access keys, their limits and what they use of them",
            text="The keys themselves are never sent. `gglib key` makes, changes and revokes keys, on the server's "
            "machine.",
            response=responses.Keys,
        ),
    ),
)
