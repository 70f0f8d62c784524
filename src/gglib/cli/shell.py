"""Commands of gglib that its words suggest; see ``core.typed``."""

from gglib.core.typed import command, said

__all__ = ["command", "said"]
