"""The application: checks access, dispatches a request to its handler, sends errors and records the outcome.

The module knows no sockets; ``server.py`` runs it behind the HTTP server.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic

from gglib.core.errors import GglibError, ShuttingDownError
from gglib.core.priority import Priority
from gglib.http.errors import HttpError
from gglib.http.headers import Headers, filter_request_headers, preferred_wait_s
from gglib.http.request_head import RequestHead
from gglib.http.response_writer import encode_header_lines
from gglib.http.server.request import ClientDisconnectedError, ClientStalledError
from gglib.http.server.transport import ResponseTransport
from gglib.proxy.access.authorization import Caller, check_access
from gglib.proxy.access.grants import Grant
from gglib.proxy.access.policy import AccessPolicy
from gglib.proxy.access.priority import caller_priority, requested_priority
from gglib.proxy.access.visible_catalog import VisibleCatalog
from gglib.proxy.access.visible_errors import visible_error
from gglib.proxy.dialects.base import ErrorDialect
from gglib.proxy.dialects.errors import dialect_for
from gglib.proxy.errors import EngineError, to_error_response
from gglib.proxy.models import ModelObjects
from gglib.proxy.options import ProxyOptions, Services
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.dispatch import Handler, caller_of
from gglib.proxy.routes.operation_spec import Access
from gglib.proxy.routes.table import find_operation
from gglib.proxy.telemetry.records import Refusal, RequestRecord

log = logging.getLogger("gglib.proxy")

CLIENT_CLOSED_REQUEST = 499
"""Status in the access log if the client disconnected before the response (nginx's code). Never sent."""
_OWN_HEADERS = b"x-gglib-"
"""Prefix of the headers that gglib interprets."""


class ProxyApp:
    """Handles requests. ``stop`` aborts all open requests and refuses later ones."""

    def __init__(self, services: Services, policy: AccessPolicy) -> None:
        self._services = services
        self._policy = policy
        self._open: set[ProxyRequest] = set()
        self._is_stopping = False

    async def handle(self, request: ProxyRequest, transport: ResponseTransport) -> None:
        """Handle one request and record it."""
        head = request.head
        response = Response(
            transport, method=head.method, minor_version=head.minor_version, request_id=request.id
        )
        started_s = monotonic()
        error_code = cut = None
        self._open.add(request)
        try:
            plan = self._prepare(request, response)
            with request.cancel_scope:
                if request.is_disconnected:  # before this task ran
                    raise ClientDisconnectedError  # noqa: TRY301 - handled like a later disconnect
                await plan.handler(request, response, plan.services)
        except ClientDisconnectedError as error:
            cut = error.code if response.is_started and not response.is_ended else None
            error_code = error.code if isinstance(error, ClientStalledError) else None
            response.status = response.status or CLIENT_CLOSED_REQUEST
        except asyncio.CancelledError:
            error_code = ShuttingDownError.code
            cut = error_code if response.is_started and not response.is_ended else None
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: every error becomes a response
            error_code = _error_code(error, is_started=response.is_started)
            cut = error_code if response.is_started and not response.is_ended else None
            _log_error(request, error)
            dialect = dialect_for(request.path, head.fields)
            await response.fail(visible_error(error, caller_of(request)), dialect)
        finally:
            self._open.discard(request)
            record = _record(
                request, response, started_s=started_s, ended_s=monotonic(), error_code=error_code
            )
            record.cut = cut
            self._services.recorder.record(record, response.usage_excerpt)

    def replace_policy(self, policy: AccessPolicy) -> None:
        """Check later requests with another policy, also on open connections.

        Requests in progress continue, except event streams of the admin API: they have no end of their own, so they end
        with the error of their request under the new policy.
        """
        self._policy = policy
        for request in list(self._open):
            plan = request.head.derived
            if isinstance(plan, _RequestPlan) and plan.stream_access is not None:
                try:
                    self._check_access(request, plan.stream_access)
                except GglibError as error:
                    request.cancel_scope.cancel_with(error)

    def stop(self) -> None:
        """Abort open requests with ``ShuttingDownError`` and refuse new ones."""
        self._is_stopping = True
        for request in list(self._open):
            request.cancel_scope.cancel_with(ShuttingDownError())

    def record_refusal(self, error: HttpError, request_id: str) -> None:
        """Record a connection or malformed request that the HTTP server refused without calling ``handle``."""
        error_response = to_error_response(error)
        self._services.recorder.record_refusal(
            Refusal(error_response.status, error_response.message, request_id)
        )

    def _prepare(self, request: ProxyRequest, response: Response) -> "_RequestPlan":
        """Return the plan of a request and set the request's attributes from it. Raises an error if it is refused."""
        if self._is_stopping:
            raise ShuttingDownError
        plan = request.head.derived
        if not isinstance(plan, _RequestPlan) or plan.policy is not self._policy:
            plan = request.head.derived = self._make_plan(request, response)
        response.extra_header_lines = plan.response_header_lines
        request.path, request.upstream_target, request.upstream_header_lines = (
            plan.path,
            plan.upstream_target,
            plan.upstream_header_lines,
        )
        request.wait_s = plan.wait_s
        request.grant, request.caller_priority = plan.grant, plan.caller_priority
        if plan.request_id_dialect is not None:
            response.set_request_id_header(plan.request_id_dialect)
        return plan

    def _make_plan(self, request: ProxyRequest, response: Response) -> "_RequestPlan":
        """Derive the plan from the request head alone. Raises an error if the request is refused."""
        head, policy = request.head, self._policy
        response.closes_connection = True  # until the request has passed the access checks
        response.extra_header_lines = response_header_lines = encode_header_lines(
            policy.response_headers(head)
        )
        preflight = policy.check_host_and_origin(head, request.server_host)
        if preflight is not None:
            response.closes_connection = False
            send = partial(_send_preflight, encode_header_lines(preflight))
            return _RequestPlan(send, self._services, policy, b"", request.path)
        request.grant = grant = policy.check_key(head)
        response.closes_connection = False
        operation, path = find_operation(head.method, head.raw_path, head.fields.get(b"host"))
        access = operation.spec.access
        check_access(access, caller_of(request))
        return _RequestPlan(
            operation.handler,
            self._services_for(grant),
            policy,
            response_header_lines,
            path,
            grant,
            None if access is Access.PUBLIC else _caller_priority(head, grant),
            head.target_for(path),
            encode_header_lines(_upstream_headers(head)),
            _wait_s(head, self._services.options),
            access if operation.spec.is_admin_stream else None,
            _request_id_dialect(dialect_for(path, head.fields)),
        )

    def _check_access(self, request: ProxyRequest, access: Access) -> None:
        """Raise the error of a request that may not use a route with ``access`` under the current policy."""
        head, policy = request.head, self._policy
        policy.check_host_and_origin(head, request.server_host)
        grant = policy.check_key(head)
        check_access(access, Caller(head.fields, request.peer_host, request.server_host, grant))

    def _services_for(self, grant: Grant | None) -> Services:
        """Return the services for a request with these rights: those of the app if it may use all models."""
        services = self._services
        if grant is None or grant.models is None:
            return services
        catalog = VisibleCatalog(services.catalog, grant.models)
        return replace(services, catalog=catalog, model_objects=ModelObjects(services.default_ctx))


@dataclass(frozen=True, slots=True)
class _RequestPlan:
    """Everything derived from a request head and the access policy. Computed once for equal heads on a connection."""

    handler: Handler
    services: Services
    """The services with the catalogue that the request may use."""
    policy: AccessPolicy
    """The plan is invalid once the server has another policy."""
    response_header_lines: bytes
    """Serialized header lines of every response to the request."""
    path: str
    """The normalized path."""
    grant: Grant | None = None
    caller_priority: Priority | None = None
    upstream_target: bytes = b""
    """Request target for the engine: the normalized path and the unchanged query."""
    upstream_header_lines: bytes = b""
    """Serialized request headers that are forwarded to the engine."""
    wait_s: float = 0.0
    """Maximum wait for the model, in seconds."""
    stream_access: Access | None = None
    """The access of an event stream of the admin API, which a new policy may end; None for other requests."""
    request_id_dialect: ErrorDialect | None = None
    """The dialect, if it has its own header for the request id."""


def _request_id_dialect(dialect: ErrorDialect) -> ErrorDialect | None:
    return dialect if dialect.request_id_header else None


def _caller_priority(head: RequestHead, grant: Grant | None) -> Priority | None:
    return caller_priority(requested_priority(head.headers), None if grant is None else grant.priority)


def _wait_s(head: RequestHead, options: ProxyOptions) -> float:
    """Return the wait for a model, in seconds: ``Prefer: wait=N`` (RFC 7240) can only shorten it."""
    preferred_s = preferred_wait_s(head.headers)
    return options.model_wait_s if preferred_s is None else min(preferred_s, options.model_wait_s)


def _upstream_headers(head: RequestHead) -> Headers:
    """Return the request headers for the engine, without those that only gglib interprets."""
    return [
        (name, value)
        for name, value in filter_request_headers(head.headers)
        if not name.startswith(_OWN_HEADERS)
    ]


async def _send_preflight(
    lines: bytes, request: ProxyRequest, response: Response, services: Services
) -> None:
    del request, services
    await response.start_with(204, lines, length=None, is_stream=False, is_last=True)


def _error_code(error: Exception, *, is_started: bool) -> str | None:
    """Return the error code for the access log and the metrics.

    None for an unclassified engine error sent with its own status: the status is recorded already.
    """
    if type(error) is EngineError and not is_started:
        return None
    return error.code if isinstance(error, GglibError | HttpError) else GglibError.code


def _log_error(request: ProxyRequest, error: Exception) -> None:
    """Log errors that concern the operator. Client and engine errors are only sent to the client."""
    if isinstance(error, EngineError | HttpError):
        return
    if not isinstance(error, GglibError):
        log.error("%s: internal error", request.id, exc_info=error)
    elif error.source.value != "client" and not isinstance(error, ShuttingDownError):
        log.warning("%s: %s", request.id, error)


def _record(
    request: ProxyRequest, response: Response, *, started_s: float, ended_s: float, error_code: str | None
) -> RequestRecord:
    head = request.head
    return RequestRecord(
        method=head.method,
        path=request.path,
        model=request.model,
        key_name=request.key_name,
        status=response.status,
        request_id=request.id,
        waited_s=request.waited_s,
        first_byte_s=None if response.first_byte_at_s is None else response.first_byte_at_s - started_s,
        duration_s=ended_s - started_s,
        chunks=response.chunks,
        is_streamed=response.is_stream,
        error_code=error_code,
    )
