"""The process that listens on a port."""

from pathlib import Path

from gglib.system.ports import ListeningProcess, listening_inodes, listening_process, parse_lsof

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LISTENING = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100\n"
CONNECTED = "   1: 0100007F:1F90 0100007F:A1B2 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 100\n"
OTHER = "   2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4713 1 0 100\n"


def machine(root: Path) -> Path:
    """Write the virtual files of a machine: process 12 listens, process 11 is another user's."""
    (root / "proc/net").mkdir(parents=True)
    (root / "proc/net/tcp").write_text(HEAD + LISTENING + CONNECTED + OTHER)
    (root / "proc/11").mkdir()
    (root / "proc/12/fd").mkdir(parents=True)
    (root / "proc/12/fd/3").symlink_to("socket:[4711]")
    (root / "proc/12/comm").write_text("ollama\n")
    return root


def test_only_the_listening_socket_counts() -> None:
    """Neither a connection of the port nor another port."""
    assert list(listening_inodes(HEAD + LISTENING + CONNECTED + OTHER, 8080)) == ["4711"]


def test_process_is_found_by_its_descriptor(tmp_path: Path) -> None:
    """On Linux; processes that cannot be read are skipped."""
    root = machine(tmp_path)
    assert listening_process(8080, "linux", root) == ListeningProcess(12, "ollama")
    assert listening_process(8081, "linux", root) is None
    assert listening_process(1, "linux", tmp_path / "nothing") is None


def test_mac_has_lsof() -> None:
    """Its first process; none if it prints nothing. Other systems have no reader."""
    assert parse_lsof("p501\ncollama\nf3\n") == ListeningProcess(501, "ollama")
    assert listening_process(8080, "darwin", run=lambda _: "") is None
    assert listening_process(8080, "win32") is None
