"""Commands of gglib that its words suggest; see ``core.typed``."""

from gglib.core.shell_quoting import command, said

__all__ = ["command", "said"]
