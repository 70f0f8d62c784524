"""The trial, which runs beside its systemd: install, restarts under load, the watchdog, sockets, the sandbox."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from scripts.try_systemd.sandbox import check_sandbox

from gglib.testing import Script, install_scripted_server, write_tiny_gguf

ROOT = Path("/opt/gglib-try")
HOME = Path("/var/lib/gglib")
PROGRAM = ROOT / "gglib"
PORT = 8080
STREAMS = 200
WAITING = 50
LIMIT_S = 120.0
BODY = json.dumps({"model": "tiny", "stream": True, "messages": [{"role": "user", "content": "Hi"}]})
DROP_IN = Path("/etc/systemd/system/gglib.service.d/trial.conf")


class Stream(threading.Thread):
    """A streamed response."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.has_begun = threading.Event()
        self.text = b""
        self.error = ""

    def run(self) -> None:
        """Send the request and read the response."""
        client = http.client.HTTPConnection("127.0.0.1", PORT, timeout=LIMIT_S)
        try:
            client.request("POST", "/v1/chat/completions", BODY, {"content-type": "application/json"})
            response = client.getresponse()
            while part := response.read1():
                self.text += part
                self.has_begun.set()
        except (OSError, http.client.HTTPException) as error:
            self.error = repr(error)
        finally:
            client.close()

    @property
    def is_whole(self) -> bool:
        """Whether it has its end, and no error."""
        return b"[DONE]" in self.text and b'"error"' not in self.text and not self.error


def run(*words: str) -> str:
    """Run a command, and return its output. Raises RuntimeError if it fails."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


def show(name: str, unit: str = "gglib.service") -> str:
    """Return a property of a unit."""
    return run("systemctl", "show", "--property", name, "--value", unit).strip()


def wait_until(is_true: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Wait for a state of the service."""
    end_s = time.monotonic() + limit_s
    while not is_true():
        if time.monotonic() > end_s:
            raise RuntimeError(
                f"not within {limit_s:g} s: {what}\n{run('journalctl', '-u', 'gglib', '-n', '30')}"
            )
        time.sleep(0.1)


def get(path: str) -> int:
    """Return the status of a path; 0 if the connection is refused."""
    client = http.client.HTTPConnection("127.0.0.1", PORT, timeout=LIMIT_S)
    try:
        client.request("GET", path)
        return client.getresponse().status
    except ConnectionRefusedError:
        return 0
    finally:
        client.close()


def prepare() -> None:
    """Make the program, the user, the engine and the home. The root is an overlay: nothing of it lasts."""
    PROGRAM.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT / 'source/src')!r})\n"
        "from gglib.cli import main\nmain()\n"
    )
    PROGRAM.chmod(0o755)
    for part in Path(sys.executable).resolve().parents:
        part.chmod(part.stat().st_mode | 0o055)  # an interpreter below /root
    run("useradd", "--system", "--home-dir", str(HOME), "gglib")
    HOME.mkdir(parents=True)
    engine = install_scripted_server(ROOT / "bin", Script(chunks=40, chunk_interval_s=0.1, lifetime_s=600))
    (HOME / "config.toml").write_text(f'engine = "{engine}"\nport = {PORT}\ndrain_s = 60\n')
    gguf = write_tiny_gguf(HOME / "tiny.gguf")
    run(str(PROGRAM), "--home", str(HOME), "add", str(gguf))
    run("chown", "-R", "gglib:", str(HOME))


def install() -> None:
    """Write, enable and start the units; a second time nothing changes."""
    print(run(str(PROGRAM), "service", "install", "--system"))
    wait_until(lambda: show("StatusText").startswith("Serving at"), "ready")
    assert show("ActiveState") == "active"
    assert show("Type") == "notify"
    assert get("/v1/models") == 200
    pid = show("MainPID")
    assert "Unchanged" in run(str(PROGRAM), "service", "install", "--system")
    assert show("MainPID") == pid
    assert "Serving at" in run(str(PROGRAM), "service", "status", "--system")
    assert "Listening on" in run(str(PROGRAM), "service", "logs", "--system")


def reload_settings() -> None:
    """``systemctl reload`` applies a setting; the service is active before and after."""
    pid = show("MainPID")
    with (HOME / "config.toml").open("a") as config:
        config.write("max_wait_s = 77\n")
    run("systemctl", "reload", "gglib")
    wait_until(lambda: show("ActiveState") == "active", "active again")
    wait_until(lambda: "max_wait_s" in run("journalctl", "-u", "gglib"), "the setting in the log")
    assert show("MainPID") == pid


def restart_under_load() -> None:
    """No stream is lost, and new connections are served by the new process."""
    streams = [Stream() for _ in range(STREAMS)]
    for stream in streams:
        stream.start()
    assert all(stream.has_begun.wait(LIMIT_S) for stream in streams), "the streams did not begin"
    pid = show("MainPID")
    restart = subprocess.Popen([str(PROGRAM), "service", "restart", "--system"])
    wait_until(lambda: show("StatusText").startswith("Waiting for"), "the drain")
    drain = show("StatusText")
    waiting = [Stream() for _ in range(WAITING)]
    for stream in waiting:
        stream.start()
    assert restart.wait(LIMIT_S) == 0
    for stream in (*streams, *waiting):
        stream.join(LIMIT_S)
    assert show("MainPID") != pid
    lost = [stream for stream in streams if not stream.is_whole]
    refused = [stream for stream in waiting if not stream.is_whole]
    print(
        f"  {drain}; {len(lost)} of {STREAMS} streams lost, {len(refused)} of {WAITING} new connections not served"
    )
    assert not lost, lost[0].error or lost[0].text[-300:]
    assert not refused, refused[0].error or refused[0].text[-300:]


def activate_by_a_connection() -> None:
    """Connect to the socket alone, which starts the service; without both the connection is refused."""
    run(str(PROGRAM), "service", "stop", "--system")
    assert get("/health") == 0
    run("systemctl", "start", "gglib.socket")
    assert show("ActiveState") == "inactive"
    assert get("/v1/models") == 200
    assert show("ActiveState") == "active"


def watchdog() -> None:
    """Stop the process with SIGSTOP: it is killed and started again."""
    DROP_IN.parent.mkdir(exist_ok=True)
    DROP_IN.write_text("[Service]\nWatchdogSec=2\nTimeoutAbortSec=2\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "gglib")
    wait_until(lambda: get("/v1/models") == 200, "served")
    time.sleep(5)  # longer than the watchdog's timeout: a loop that runs is not restarted
    assert show("NRestarts") == "0"
    pid = int(show("MainPID"))
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: show("NRestarts") == "1", "restarted by the watchdog")
    wait_until(lambda: get("/v1/models") == 200, "served again")
    assert "watchdog timeout" in run("journalctl", "-u", "gglib").lower()
    DROP_IN.unlink()
    run("systemctl", "daemon-reload")


def start_after_failures() -> None:
    """Start the service after systemd gave up on it: settings that do not start are tried five times."""
    config = HOME / "config.toml"
    good = config.read_text()
    config.write_text("port = 'many'\n")
    subprocess.run(["systemctl", "restart", "gglib"], check=False, capture_output=True)
    wait_until(lambda: show("Result") == "start-limit-hit" or show("ActiveState") == "failed", "given up")
    config.write_text(good)
    refused = subprocess.run(["systemctl", "start", "gglib"], check=False, capture_output=True).returncode
    print(f"  systemctl start: {'refused' if refused else 'accepted'}")
    run(str(PROGRAM), "service", "start", "--system")
    assert get("/v1/models") == 200
    assert show("ActiveState", "gglib.socket") == "active"


def kill_engine_and_server() -> None:
    """After SIGKILL systemd starts gglib again; its engine is gone."""
    stream = Stream()
    stream.start()
    assert stream.has_begun.wait(LIMIT_S)
    before, restarts = show("MainPID"), int(show("NRestarts"))
    os.kill(int(before), signal.SIGKILL)
    wait_until(lambda: int(show("NRestarts")) == restarts + 1, "restarted")
    wait_until(lambda: get("/v1/models") == 200, "served again")
    group = Path("/sys/fs/cgroup/system.slice/gglib.service/cgroup.procs").read_text().split()
    assert group == [show("MainPID")], group


def sandbox() -> None:
    """Probe the options of the units."""
    check_sandbox(run)


def uninstall() -> None:
    """Nothing is left but the home."""
    run(str(PROGRAM), "service", "uninstall", "--system")
    assert get("/health") == 0
    assert not list(Path("/etc/systemd/system").glob("gglib*.s*t*"))
    assert (HOME / "gglib.db").exists()


def service_of_a_user() -> None:
    """Run the same commands as a user: the units' sandbox has to work without the rights of root."""
    run("useradd", "--create-home", "alice")
    uid = run("id", "-u", "alice").strip()
    runtime = f"/run/user/{uid}"
    run("install", "-d", "-o", "alice", "-m", "700", runtime)
    # As user@.service does, without a session of PAM.
    unit = ("--unit=alice", "--uid=alice", "--property=Delegate=yes", "--service-type=notify")
    run("systemd-run", *unit, f"--setenv=XDG_RUNTIME_DIR={runtime}", "/usr/lib/systemd/systemd", "--user")
    home = Path("/home/alice/.local/share/gglib")
    home.mkdir(parents=True)
    for name in ("config.toml", "tiny.gguf"):
        shutil.copy(HOME / name, home / name)
    run("chown", "-R", "alice:", "/home/alice")
    as_alice = (
        "runuser",
        "-u",
        "alice",
        "--",
        "env",
        "-C",
        "/home/alice",
        f"XDG_RUNTIME_DIR=/run/user/{uid}",
    )
    run(*as_alice, str(PROGRAM), "add", str(home / "tiny.gguf"))
    run(*as_alice, str(PROGRAM), "service", "install")
    wait_until(lambda: get("/v1/models") == 200, "served")
    stream = Stream()
    stream.run()
    assert stream.is_whole, stream.error or stream.text
    status = run(*as_alice, str(PROGRAM), "service", "status")
    assert "Serving at" in status, status
    run(*as_alice, str(PROGRAM), "service", "restart")
    wait_until(lambda: get("/v1/models") == 200, "served again")
    run(*as_alice, str(PROGRAM), "service", "uninstall")
    assert get("/health") == 0
    assert not list(Path("/home/alice/.config/systemd/user").glob("gglib*"))


def main() -> int:
    """Run all parts, or those that are named, and print what each found."""
    print(run("systemctl", "--version").splitlines()[0])
    steps = (
        *(install, reload_settings, restart_under_load, activate_by_a_connection, watchdog),
        *(start_after_failures, kill_engine_and_server, sandbox, uninstall, service_of_a_user),
    )
    chosen = [step for step in steps if step.__name__ in sys.argv[1:]] or steps
    for step in (prepare, *chosen):
        started_s = time.monotonic()
        try:
            step()
        except BaseException:
            print(run("journalctl", "-n", "60", "--no-pager"))
            raise
        print(f"ok: {step.__name__} ({time.monotonic() - started_s:.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
