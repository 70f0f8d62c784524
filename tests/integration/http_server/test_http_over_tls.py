"""Tests of slow readers, deadlines and disconnects again, over HTTPS: the server promises the same."""

import pytest
from tests.integration.proxy.support import USED_TLS
from tests.integration.proxy.test_proxy_disconnects import (  # noqa: F401 - collected here again
    no_alarm,
    test_leaving_after_heartbeats,
    test_leaving_before_the_first_byte,
    test_leaving_in_mid_stream_is_the_same_in_every_dialect,
    test_leaving_in_the_middle_of_the_answer,
    test_leaving_in_the_middle_of_the_body,
    test_leaving_while_slow_to_read,
    test_leaving_while_the_engine_does_not_read,
)
from tests.support.certificates import client_context, needs_openssl, write_certificate

from gglib.http.server.tls_context import server_context

from .test_http_deadlines import (  # noqa: F401 - collected here again
    test_client_that_does_not_read_is_closed,
    test_connection_with_a_request_is_not_idle,
    test_dripping_body_is_refused,
    test_dripping_head_is_refused,
    test_idle_connection_is_closed,
    test_incomplete_head_is_refused,
    test_second_head_is_timed_from_its_first_byte,
    test_slow_upload_is_served,
)
from .test_http_floods import (  # noqa: F401 - collected here again
    test_bodies_beyond_the_budget_wait_and_small_ones_pass,
    test_disconnect_behind_pipelined_data_is_detected,
    test_flood_of_one_byte_chunks_is_refused_and_others_are_served,
)
from .test_http_stalled_clients import (  # noqa: F401 - collected here again
    test_client_closed_after_the_ordinary_timeout_is_logged,
    test_disconnect_in_mid_stream_is_logged,
    test_stalled_client_is_closed_once_others_wait_for_the_model,
    test_stream_that_gglib_ends_early_is_logged,
)

pytestmark = needs_openssl


@pytest.fixture(autouse=True)
def _over_tls(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let the clients and the proxy of the tests use TLS."""
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    public = write_certificate(path)
    monkeypatch.setattr(USED_TLS, "server", server_context(path, path))
    monkeypatch.setattr(USED_TLS, "client", client_context(public))
