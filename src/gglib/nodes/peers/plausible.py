"""Whether the numbers of a response can be those of a machine. Pure.

JSON has numbers of any size, with which the arithmetic of placement overflows: one such node would fail all requests.
"""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

LARGEST_INTEGER = 2**63 - 1
LARGEST_FLOAT = 1e12
"""In seconds, more than 30,000 years."""


def is_plausible(value: object) -> bool:
    """Whether all numbers in a dataclass, a tuple or a mapping are of a usual size."""
    match value:
        case int():
            return abs(value) <= LARGEST_INTEGER
        case float():
            return math.isfinite(value) and abs(value) <= LARGEST_FLOAT
        case tuple():
            return all(map(is_plausible, value))
        case Mapping():
            return all(map(is_plausible, value.values()))
        case _ if is_dataclass(value):
            return all(is_plausible(getattr(value, field.name)) for field in fields(value))
        case _:
            return True
