"""The table of clients: well formed, pinned, and with the programs and cases that it names."""

import re

import pytest
from tests.clients.environments import version_of
from tests.clients.run import PROGRAMS
from tests.clients.table import AGENT, BASIC, CASES, CLIENTS, ENVIRONMENTS, FAULTS, Client

NAMES = [client.name for client in CLIENTS]
AGENTS = [client for client in CLIENTS if client.is_agent]


def text_of(client: Client) -> str:
    """Return the source of a client's program."""
    return (PROGRAMS / client.program).read_text(encoding="utf-8")


def test_names_are_unique() -> None:
    """A name is an argument of ``--only``, and the name of a file of results."""
    assert len(set(NAMES)) == len(NAMES)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in NAMES)
    environments = [environment.name for environment in ENVIRONMENTS]
    assert len(set(environments)) == len(environments)


def test_every_package_is_pinned() -> None:
    """A client of another version tomorrow would be another test."""
    for environment in ENVIRONMENTS:
        separator = "==" if environment.installer == "pip" else "@"
        for package in environment.packages:
            assert re.fullmatch(r"[0-9][0-9A-Za-z.]*", version_of(package))
            assert package.endswith(separator + version_of(package))


def test_every_row_shows_the_version_of_its_own_package() -> None:
    """An environment may have several clients."""
    pins = {environment.name: environment for environment in ENVIRONMENTS}
    versions = {client.name: pins[client.environment].version(client.package) for client in CLIENTS}
    assert versions["langchain-openai"] != versions["langchain-anthropic"]
    assert versions["ai-sdk-anthropic"] == pins["ai-sdk"].version("@ai-sdk/anthropic")


def test_every_environment_has_a_client_and_every_client_an_environment() -> None:
    """Nothing is installed in vain."""
    assert {client.environment for client in CLIENTS} == {environment.name for environment in ENVIRONMENTS}


@pytest.mark.parametrize("client", CLIENTS, ids=NAMES)
def test_program_has_the_cases_of_its_row(client: Client) -> None:
    """A case without code would be reported as not applicable."""
    assert set(client.cases) <= set(CASES)
    assert set(client.not_applicable) <= set(client.cases)
    text = text_of(client)
    if "faultsOf(" in text:
        text += (PROGRAMS / "cases.mjs").read_text(encoding="utf-8")
    missing = [
        case
        for case in client.cases
        if not re.search(rf'"{case}": |^ +(async )?{case}[(:]', text, re.MULTILINE)
    ]
    assert missing == []


@pytest.mark.parametrize("client", CLIENTS, ids=NAMES)
def test_program_knows_the_variant_of_its_row(client: Client) -> None:
    """One program serves several rows."""
    text = text_of(client)
    assert not client.variant or re.search(rf"\b{client.variant}\b", text)


def test_libraries_have_all_basic_cases_and_agents_those_of_agents() -> None:
    """Cases that a client cannot do are named with their reason, not left out."""
    for client in CLIENTS:
        assert set(AGENT if client.is_agent else BASIC) <= set(client.cases)


@pytest.mark.parametrize("package", ["openai", "anthropic", "ollama"])
def test_official_clients_have_all_faults_in_both_languages(package: str) -> None:
    """Also in the Responses API, which has streams of its own."""
    official = [client for client in CLIENTS if set(FAULTS) <= set(client.cases)]
    assert {f"{package}-python", f"{package}-node"} <= {client.name for client in official}
    assert {"chat", "responses", "anthropic", "ollama"} == {client.dialect for client in official}


def test_last_fault_is_the_one_that_ends_the_server() -> None:
    """Cases run in the order of the table."""
    assert FAULTS[-1] == "shutdown"


def test_agents_are_defined_once() -> None:
    """The program of agents has an entry for each row."""
    text = text_of(AGENTS[0])
    assert [text.count(f'    "{agent.variant}": ') for agent in AGENTS] == [1] * len(AGENTS)
