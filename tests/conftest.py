"""What holds for all tests."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from tests.support.engines import EMBEDDED, ENGINES
from tests.support.golden import Golden
from tests.support.tls_contexts import share_tls_contexts

# No test depends on the machine's speed: the default deadline of 200 ms an example fails on a busy one, and so does the
# check for slow input generation. Counts that tests set themselves are multiples of the profile's. The result of
# "ci" depends on the code alone: its examples are the same in each run. "explore" has other ones in each run.
settings.register_profile(
    "explore", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("explore"), derandomize=True)
settings.register_profile("dev", settings.get_profile("explore"), max_examples=20)
settings.load_profile("dev")

# A shell ignores SIGINT in what it runs in the background, and its children inherit that: Ctrl-C would end no command
# that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

share_tls_contexts()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that ``make golden`` uses, and the one for the engine of the end-to-end tests."""
    parser.addoption(
        "--record-golden", action="store_true", help="record the texts of tests with golden files anew"
    )
    parser.addoption(
        "--engine", choices=ENGINES, default=EMBEDDED, help="run the tests in tests/e2e on this engine"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run only tests with golden files while these are recorded."""
    if config.getoption("--record-golden"):
        items[:] = [item for item in items if "golden" in getattr(item, "fixturenames", ())]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Iterator[Golden]:
    """Compare texts with those that were recorded for this test; see tests/support/golden.py."""
    test = request.node.nodeid.partition("::")[2]
    recorded = Golden(request.path, test, is_recording=request.config.getoption("--record-golden"))
    yield recorded
    recorded.save()
