"""Runs the clients: environments, servers, programs. What it finds goes to ``outcomes``."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.clients import server
from tests.clients.environments import Environment, Made, kill_group
from tests.clients.outcomes import Outcome, Row, read_outcomes, remaining
from tests.clients.table import ENVIRONMENTS, FAULTS, Client

PROGRAMS = Path(__file__).parent / "programs"
TOGETHER = 2
"""Clients that run at the same time."""
CASE_S = 60.0
AGENT_CASE_S = 200.0
AGENT_S = 90.0
"""One run of an agent; the case of two at once has two runs at the same time."""
START_S = 60.0
"""For imports of a program, beside its cases."""
FOREIGN = ("OPENAI_", "ANTHROPIC_", "CLAUDE", "OLLAMA_", "LLM_", "GGLIB_", "LITELLM_", "PYTHON")
"""Beginnings of variables that would change what a client does."""

_BY_NAME = {environment.name: environment for environment in ENVIRONMENTS}


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs programs in the environments below ``cache``; ``deadline_s`` is a time of ``clock``."""

    cache: Path
    work: Path
    deadline_s: float
    clock: Callable[[], float] = time.monotonic
    on_row: Callable[[Row], None] = field(default=lambda _: None)

    def run_all(self, clients: Sequence[Client], cases: Sequence[str], made: Mapping[str, Made]) -> list[Row]:
        """Run every client whose environment is ready, ``TOGETHER`` at a time; return a row for each client."""
        with self.serving_models() as served, ThreadPoolExecutor(TOGETHER) as pool:
            jobs = [
                pool.submit(self._row, client, cases, made[client.environment], served) for client in clients
            ]
            return [job.result() for job in jobs]

    def _row(self, client: Client, cases: Sequence[str], made: Made, served: server.Served) -> Row:
        environment = _BY_NAME[client.environment]
        outcomes: list[Outcome] = []
        reason = f"not installed: {made.reason}" if made.reason else ""
        if not reason and self.clock() >= self.deadline_s:
            reason = "not run: no time was left"
        if not reason:
            wanted = [case for case in client.cases if case in cases and case not in client.not_applicable]
            calm = [case for case in wanted if case not in FAULTS]
            outcomes = [
                Outcome(case=case, result="n.a.", detail=text)
                for case, text in client.not_applicable.items()
                if case in cases
            ]
            outcomes += self._outcomes(client, environment, calm, served) if calm else []
            if faults := [case for case in wanted if case in FAULTS]:
                with self.serving_faults(client.name) as faulty:
                    outcomes += self._outcomes(client, environment, faults, faulty)
        row = Row(
            client=client.name,
            dialect=client.dialect,
            version=environment.version(client.package),
            outcomes=tuple(outcomes),
            reason=reason,
        )
        self.on_row(row)
        return row

    def _outcomes(
        self, client: Client, environment: Environment, cases: Sequence[str], served: server.Served
    ) -> list[Outcome]:
        """Run the program; after a case that ended it, again with the remaining ones."""
        results = self.work / f"{client.name}-{cases[0]}.jsonl"
        results.write_bytes(b"")
        left, ending = list(cases), "no time was left"
        while left and self.clock() < self.deadline_s:
            ending = self._run_program(client, environment, left, served, results)
            after = remaining(results.read_text(errors="replace"), cases)
            if len(after) == len(left):
                break
            left = after
        is_over = self.clock() >= self.deadline_s
        return read_outcomes(results.read_text(errors="replace"), cases, ending=ending, is_over=is_over)

    def _run_program(
        self,
        client: Client,
        environment: Environment,
        cases: Sequence[str],
        served: server.Served,
        results: Path,
    ) -> str:
        """Run the program once and return how it ended: its exit code, and the last line of its output."""
        case_s = AGENT_CASE_S if client.is_agent else CASE_S
        variables = {
            **_clean(os.environ),
            "HOME": str(self.work),
            "NO_PROXY": "127.0.0.1,localhost",
            "GGLIB_URL": served.url,
            "GGLIB_PID": str(served.pid),
            "CHAT": server.CHAT,
            "SMALL": server.SMALL,
            "LONG": server.LONG,
            "TOOLS": server.TOOLS,
            "EMBED": server.EMBED,
            "UNKNOWN": server.UNKNOWN,
            "VARIANT": client.variant,
            "CASES": ",".join(cases),
            "CASE_LIMIT_S": str(case_s),
            "AGENT_LIMIT_S": str(AGENT_S),
            "BINARIES": str(environment.binary(self.cache, "")),
            "RESULTS": str(results),
        }
        output = results.with_suffix(".out")
        with output.open("ab") as file:
            process = subprocess.Popen(
                self.command(client, environment),
                env=variables,
                cwd=self.work,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                limit_s = min(START_S + case_s * len(cases), self.deadline_s - self.clock())
                ending = f"exit code {process.wait(max(limit_s, 0.0))}"
            except subprocess.TimeoutExpired:
                ending = "ended after the time limit"
            finally:
                kill_group(process)
        lines = output.read_text(errors="replace").strip().splitlines()
        return f"{ending}: {lines[-1]}" if lines else ending

    def command(self, client: Client, environment: Environment) -> list[str]:
        """Return the command line of the client's program.

        Node looks for packages beside the program, so the programs are copied into the environment.
        """
        if environment.installer == "npm" and not client.is_agent:
            for program in PROGRAMS.glob("*.mjs"):
                shutil.copy(program, self.cache / environment.name)
            return ["node", str(self.cache / environment.name / client.program)]
        interpreter = sys.executable if client.is_agent else str(environment.python(self.cache))
        return [interpreter, str(PROGRAMS / client.program)]

    @contextmanager
    def serving_models(self) -> Iterator[server.Served]:
        """Serve the real models."""
        # A short path: the path of a socket in it must fit into 100 bytes.
        with tempfile.TemporaryDirectory(prefix="gc-") as directory:
            home = Path(directory)
            server.add_models(home, self.cache / "models")
            with server.serving(home, "--max-models", "6") as served:
                yield served

    @contextmanager
    def serving_faults(self, name: str) -> Iterator[server.Served]:
        """Serve the scripted engine to one client: the last fault ends the server."""
        with tempfile.TemporaryDirectory(prefix=f"gf-{name[:4]}-") as directory:
            home = Path(directory)
            engine = server.add_scripted_models(home)
            with server.serving(home, "--engine", str(engine), settings=server.FAULT_SETTINGS) as served:
                yield served


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(FOREIGN)}
