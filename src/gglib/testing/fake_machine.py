"""A machine in memory: the ports of logs, system, settings and clients without files and programs."""

import asyncio
from collections.abc import AsyncGenerator

from gglib.core.errors import LogNotFoundError
from gglib.core.log_lines import LogLine, shown_lines
from gglib.core.memory import MachineMemory
from gglib.core.ports.clients import ClientSettings, ClientsPort, ClientTable, ClientTarget
from gglib.core.ports.logs import LogBatch, LogFile, LogsPort, LogTail
from gglib.core.ports.machine import MachinePorts
from gglib.core.ports.settings import SettingsPort, SettingTable, SettingValue
from gglib.core.ports.system import DiskSpace, EngineFacts, MachineCheck, Processors, SystemFacts, SystemPort

URL = "http://127.0.0.1:8080"


class FakeMachine(LogsPort, SystemPort, SettingsPort, ClientsPort):
    """Logs with lines, an example of everything else; ``ports`` is for ``serve``."""

    def __init__(self, logs: dict[str, list[str]] | None = None) -> None:
        """Take lines by the name of their log; default: a log ``gglib`` with one line."""
        self._logs = {"gglib": ["2026-11-29T13:00:00.123+00:00 INFO    ready"]} if logs is None else logs
        self._written = asyncio.Condition()
        self.followers = 0
        """How many follow a log now."""

    @property
    def ports(self) -> MachinePorts:
        """All ports."""
        return MachinePorts(logs=self, system=self, settings=self, clients=self)

    async def write(self, name: str, *lines: str) -> None:
        """Append lines to a log."""
        async with self._written:
            self._logs.setdefault(name, []).extend(lines)
            self._written.notify_all()

    async def list_logs(self) -> tuple[LogFile, ...]:
        """Return the logs."""
        return tuple(
            LogFile(
                name=name,
                kind="gglib" if name == "gglib" else "engine",
                model=None if name == "gglib" else name.removeprefix("engine:"),
                size_bytes=sum(len(line) + 1 for line in lines),
                modified_at=0,
            )
            for name, lines in self._logs.items()
        )

    async def read_log(self, name: str, lines: int) -> LogTail:
        """Return the last ``lines`` lines."""
        found = self._lines_of(name)
        return LogTail(name=name, lines=_shown(_last(found, lines)), is_cut=len(found) > lines)

    async def follow_log(self, name: str, lines: int) -> AsyncGenerator[LogBatch, None]:
        """Yield the last ``lines`` lines, then each ``write``."""
        found = self._lines_of(name)
        self.followers += 1
        try:
            position = len(found)
            yield LogBatch(lines=_shown(_last(found, lines)))
            while True:
                async with self._written:
                    while len(found) == position:
                        await self._written.wait()
                new, position = found[position:], len(found)
                yield LogBatch(lines=_shown(new))
        finally:
            self.followers -= 1

    async def system(self) -> SystemFacts:
        """Return an example."""
        return SystemFacts(
            version="1",
            python="3.11.0",
            platform="Linux",
            started_at=0,
            uptime_s=1.5,
            home="/home/ada/gglib",
            processors=Processors(name=None, count=4, usable=2),
            memory=MachineMemory(total_bytes=64, available_bytes=None),
            disk=DiskSpace(path="/home/ada/gglib", total_bytes=9, free_bytes=5),
            engine=EngineFacts(name="embedded", path=None, version=None, devices=()),
            url=URL,
            keys_required=False,
        )

    async def check(self) -> tuple[MachineCheck, ...]:
        """Return one check that passed."""
        return (MachineCheck(name="python", verdict="ok", message="3.11.0"),)

    def settings(self) -> SettingTable:
        """Return one setting."""
        port = SettingValue(
            setting="port",
            value=8080,
            shown="8080",
            source="default",
            overrides=(),
            is_live=False,
            help="Port to listen on.",
        )
        return SettingTable(path="/home/ada/gglib/config.toml", settings=(port,))

    def client_settings(self, target: ClientTarget) -> ClientTable:
        """Return one client."""
        url = target.url or URL
        client = ClientSettings(
            name="curl",
            title="curl",
            kind="library",
            speaks=("openai",),
            how="code",
            verified=None,
            where="in a terminal",
            text=f"curl {url}/v1/models",
            start=None,
            note=None,
            file=None,
            launch=None,
        )
        return ClientTable(model=target.name, context=target.context, url=url, key=None, clients=(client,))

    def _lines_of(self, name: str) -> list[str]:
        if name not in self._logs:
            raise LogNotFoundError(name)
        return self._logs[name]


def _last(lines: list[str], count: int) -> list[str]:
    return lines[-count:] if count else []


def _shown(lines: list[str]) -> tuple[LogLine, ...]:
    return tuple(shown for line in lines for shown in shown_lines(line))
