"""The response types of the API, under one name."""

import inspect

from gglib.proxy.routes import responses


def test_every_public_type_has_a_description_and_a_name() -> None:
    """The OpenAPI document uses both; values and types are those of ``__all__``."""
    types = [getattr(responses, name) for name in responses.__all__ if name != "EVENT_NAMES"]
    assert all(inspect.isclass(kind) and inspect.getdoc(kind) for kind in types)
    assert sorted(kind.__name__ for kind in types) == sorted(set(responses.__all__) - {"EVENT_NAMES"})
