"""How a chat shows its answers, which ``/set`` may change."""

from dataclasses import dataclass


@dataclass(slots=True)
class ChatOptions:
    """The switches of a chat."""

    is_verbose: bool = False
    """Whether counts and speeds follow an answer."""
    has_markdown: bool = True
    """Whether Markdown is formatted, where the terminal can."""

    @property
    def switches(self) -> dict[str, bool]:
        """The switches by their names in ``/set``."""
        return {"verbose": self.is_verbose, "markdown": self.has_markdown}

    def set_switch(self, name: str, *, is_on: bool) -> None:
        """Change a switch."""
        if name == "verbose":
            self.is_verbose = is_on
        else:
            self.has_markdown = is_on
