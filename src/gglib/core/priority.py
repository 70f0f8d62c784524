"""Priorities of requests. Values only."""

from enum import IntEnum


class Priority(IntEnum):
    """The priority of a request. A lower number is served first, within the fairness bound of the scheduler."""

    INTERACTIVE = 0
    BATCH = 1
