"""What a service is to be: values, from which the files of systemd or launchd follow. Pure."""

from dataclasses import dataclass

NAME = "gglib"
"""Of the units and of the job."""
HOME_VARIABLE = "GGLIB_HOME"
"""Sets the data directory."""
SYSTEM_HOME = "/var/lib/gglib"
"""The data directory of a service of the machine, which systemd creates (``StateDirectory=``)."""
DEFAULT_DRAIN_S = 30.0
"""How long the stop of a service waits for responses if no setting says otherwise: no user waits for its end."""
STOP_MARGIN_S = 15.0
"""What a stop may take besides the drain, before the service manager kills what is left: engines take up to 7 s,
connections 1 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """One service."""

    program: tuple[str, ...]
    """The program and its first arguments, such as ``-m gglib``; an absolute path."""
    home: str | None = None
    """The data directory; None: the default of the user."""
    user: str | None = None
    """The user of a service of the machine; None: a service of the user who installs it."""
    groups: tuple[str, ...] = ()
    """Further groups of ``user``, which may use the GPUs."""
    listen: tuple[str, ...] = ()
    """Addresses that systemd opens (``ListenStream=``); empty: gglib opens its own."""
    ollama_listen: tuple[str, ...] = ()
    """The same for clients of Ollama."""
    drain_s: float = DEFAULT_DRAIN_S
    """How long a stop waits for responses."""
    search_path: str | None = None
    """The ``PATH``, by which engines and commands are found; None: that of the service manager."""

    @property
    def is_system(self) -> bool:
        """Whether it is a service of the machine."""
        return self.user is not None

    @property
    def arguments(self) -> tuple[str, ...]:
        """The command line."""
        return (*self.program, "serve")

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the service sets."""
        variables = {HOME_VARIABLE: self.home, "PATH": self.search_path}
        return {name: value for name, value in variables.items() if value is not None}

    @property
    def stop_timeout_s(self) -> int:
        """After this time a stop may kill what is left; a server that drains longer says so."""
        return round(self.drain_s + STOP_MARGIN_S)


@dataclass(frozen=True, slots=True)
class ServiceFile:
    """A file of a service manager."""

    name: str
    text: str
