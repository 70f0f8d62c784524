"""Which program has a busy port, and what the error says."""

import asyncio
import socket
from contextlib import closing
from pathlib import Path

import pytest

from gglib.app.serving.busy_port import (
    PortHolder,
    Program,
    busy_ollama_text,
    busy_text,
    check_port,
    check_ports,
    find_holder,
    recognize,
)
from gglib.app.settings import load_settings
from gglib.core.errors import InvalidSettingError
from gglib.system.ports import ListeningProcess

OLLAMA = ListeningProcess(7, "ollama")


@pytest.mark.parametrize(
    ("headers", "body", "program"),
    [
        ({b"x-request-id": b"1"}, b"Ollama is running", Program.GGLIB),
        ({b"content-type": b"text/plain"}, b"Ollama is running", Program.OLLAMA),
        ({b"server": b"llama.cpp"}, b"<html>", Program.LLAMA_SERVER),
        ({b"server": b"nginx", b"x-request-id": b"1"}, b"<html>", None),
    ],
)
def test_servers_are_recognized_by_their_start_page(
    headers: dict[bytes, bytes], body: bytes, program: Program | None
) -> None:
    """Gglib responds as Ollama does, and with a request id."""
    assert recognize(headers, body) is program


@pytest.mark.parametrize(
    ("holder", "text"),
    [
        (PortHolder(), "another program: "),
        (PortHolder(process=ListeningProcess(9, "python3")), "python3 (pid 9): "),
        (PortHolder(Program.OLLAMA, OLLAMA), "Ollama (pid 7): "),
        (PortHolder(Program.LLAMA_SERVER), "llama-server: "),
        (
            PortHolder(Program.GGLIB, ListeningProcess(9, "python3")),
            "another gglib (pid 9), for another home: ",
        ),
    ],
)
def test_error_names_the_program_and_a_command(holder: PortHolder, text: str) -> None:
    """As far as it is known, with a free port."""
    shown = busy_text(8080, holder, command="up", free_port=8081)
    assert shown == f"Port 8080 is in use by {text}'gglib up --port 8081' uses a free one."


def test_a_port_of_a_socket_unit_is_served_by_its_service() -> None:
    """Connections to it wait there for the service that systemd starts."""
    shown = busy_text(8080, PortHolder(process=ListeningProcess(1, "systemd")), command="up", free_port=8081)
    assert shown == (
        "Port 8080 is kept open by systemd for a service: 'gglib service start' starts that of gglib, or "
        "'gglib up --port 8081' uses a free port."
    )


def test_without_a_free_port_nearby_the_kernel_chooses() -> None:
    """As with ``--port 0``."""
    assert "'gglib serve --port 0'" in busy_text(65_535, PortHolder(), command="serve", free_port=None)


def test_ollama_on_its_port_is_not_in_doubt() -> None:
    """An unknown program may be Ollama."""
    assert "(pid 7): stop it, or" in busy_ollama_text(11434, PortHolder(Program.OLLAMA, OLLAMA))
    assert "if it is Ollama, stop it, or" in busy_ollama_text(11434, PortHolder())


async def test_program_that_says_nothing_is_another_program() -> None:
    """Also one that sends no HTTP: the probe ends."""
    server = await asyncio.start_server(_no_http, "127.0.0.1", 0)
    async with server:
        holder = await find_holder("127.0.0.1", server.sockets[0].getsockname()[1])
    assert holder.program is None


async def test_check_of_a_busy_port_suggests_one_that_is_free() -> None:
    """The suggested port can be bound."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        with pytest.raises(InvalidSettingError) as raised:
            await check_port("127.0.0.1", taken.getsockname()[1], "up")
        free = int(str(raised.value).partition("--port ")[2].split("'")[0])
        with closing(socket.create_server(("127.0.0.1", free))):
            assert free != taken.getsockname()[1]


async def _no_http(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 smtp ready\r\n")
    writer.close()


async def test_address_of_a_server_elsewhere_in_gglib_host_is_explained(tmp_path: Path) -> None:
    """A client's ``GGLIB_HOST`` names a server; to make a key, as for other addresses, would not help."""
    environ = {"GGLIB_HOME": str(tmp_path), "GGLIB_HOST": "203.0.113.1:8080"}
    with pytest.raises(InvalidSettingError) as refused:
        await check_ports(load_settings({}, environ), "up")
    assert str(refused.value) == (
        "GGLIB_HOST is '203.0.113.1:8080', which is not an address of this machine, to listen on: "
        "'gglib up --host 127.0.0.1' starts gglib here."
    )
    with pytest.raises(InvalidSettingError, match=r"^'203\.0\.113\.1' is not an address of this machine"):
        await check_ports(load_settings({"host": "203.0.113.1"}, {"GGLIB_HOME": str(tmp_path)}), "up")
