"""The application: checks access, dispatches a request to its handler, sends errors and records the outcome.

The module knows no sockets; ``server.py`` runs it behind the HTTP server.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from time import monotonic

from gglib.core.errors import GglibError, ShuttingDownError
from gglib.core.history.records import CLIENT_CLOSED_REQUEST, RequestRecord
from gglib.core.priority import Priority
from gglib.http.errors import HttpError
from gglib.http.headers import Headers, filter_request_headers, preferred_wait_s
from gglib.http.request_head import RequestHead
from gglib.http.response_writer import encode_header_lines
from gglib.http.server.request import ClientDisconnectedError
from gglib.http.server.transport import ResponseTransport
from gglib.proxy.access.authorization import Caller, check_access
from gglib.proxy.access.grants import Grant
from gglib.proxy.access.hosts import unmapped
from gglib.proxy.access.policy import AccessPolicy
from gglib.proxy.access.priority import caller_priority, requested_priority
from gglib.proxy.access.visible_catalog import VisibleCatalog
from gglib.proxy.access.visible_errors import visible_error
from gglib.proxy.cluster.hops import error_line, is_forwarded
from gglib.proxy.dialects.base import ErrorDialect
from gglib.proxy.dialects.errors import dialect_for
from gglib.proxy.errors import EngineError, to_error_response
from gglib.proxy.limits import scope as limits
from gglib.proxy.limits.key_meter import KeyMeter
from gglib.proxy.models import ModelObjects
from gglib.proxy.options import ProxyOptions, Services
from gglib.proxy.recorded_response import RecordedResponse, start_capture
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.dispatch import Handler, caller_of
from gglib.proxy.routes.operation_spec import Access, Metering
from gglib.proxy.routes.table import find_operation
from gglib.proxy.telemetry.body_capture import LongStreams, add_bodies
from gglib.proxy.telemetry.outcome import (
    SUCCESS,
    Outcome,
    Refusal,
    outcome_of,
    recorded_message,
)
from gglib.proxy.telemetry.programs import program_name

log = logging.getLogger("gglib.proxy")

_OWN_HEADERS = b"x-gglib-"
"""Prefix of the headers that gglib interprets."""


class ProxyApp:
    """Handles requests. ``stop`` aborts all open requests and refuses later ones."""

    def __init__(self, services: Services, policy: AccessPolicy) -> None:
        self._services = services
        self._policy = policy
        self._response_class = _response_class(services.options)
        self._long_streams = LongStreams()
        self._open = services.open_requests.new_group()
        self._is_stopping = False

    async def handle(self, request: ProxyRequest, transport: ResponseTransport) -> None:
        """Handle one request and record it."""
        head = request.head
        response = self._response_class(
            transport, method=head.method, minor_version=head.minor_version, request_id=request.id
        )
        started_s = monotonic()
        outcome, message = SUCCESS, None
        self._open[request] = response, started_s
        try:
            plan = self._prepare(request, response)
            with request.cancel_scope:
                if request.is_disconnected:  # before this task ran
                    raise ClientDisconnectedError  # noqa: TRY301 - handled like a later disconnect
                if plan.meter is None:
                    await plan.handler(request, response, plan.services)
                else:
                    await _handle_metered(plan, plan.meter, request, response)
        except ClientDisconnectedError as error:
            outcome = _outcome(request, response, error)
        except asyncio.CancelledError:  # the end of the shutdown
            outcome = _outcome(request, response, ShuttingDownError())
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: every error becomes a response
            outcome = _outcome(request, response, error)
            message = recorded_message(error)
            _log_error(request, error)
            dialect = dialect_for(request.path, head.fields)
            is_hop = is_forwarded(head.headers)
            if is_hop:
                response.extra_header_lines += error_line(_own_code(error))
            shown = visible_error(error, caller_of(request), is_forwarded=is_hop)
            await response.fail(shown, dialect)
        finally:
            del self._open[request]
            record = _record(request, response, outcome, message, started_s=started_s, ended_s=monotonic())
            if request.capture is not None:
                add_bodies(record, request.capture, self._services.options.record_bodies)
            self._services.recorder.record(record, response.usage_excerpt)

    def replace_policy(self, policy: AccessPolicy) -> None:
        """Check later requests with another policy, also on open connections.

        Requests in progress continue, except those whose key is gone, which may be a leaked one, and event streams of
        the admin API, which have no end of their own: these end with the error of their request under the new policy.
        """
        self._policy = policy
        for request in list(self._open):
            plan = request.head.derived
            if isinstance(plan, _RequestPlan):
                try:
                    policy.check_key_in_use(request.head, request.grant)
                    if plan.stream_access is not None:
                        self._check_access(request, plan.stream_access)
                except GglibError as error:
                    request.cancel_scope.cancel_with(error)

    def apply_recording(self) -> None:
        """Record the bodies that the options of the services say, also for requests in progress that are captured."""
        self._response_class = _response_class(self._services.options)

    def stop(self) -> None:
        """Abort open requests with ``ShuttingDownError`` and refuse new ones."""
        self._is_stopping = True
        for request in list(self._open):
            request.cancel_scope.cancel_with(ShuttingDownError())

    def close(self) -> None:
        """Forget the open requests: the server has ended."""
        self._services.open_requests.remove_group(self._open)

    def record_refusal(self, error: HttpError, request_id: str) -> None:
        """Record a connection or malformed request that the HTTP server refused without calling ``handle``."""
        error_response = to_error_response(error)
        self._services.recorder.record_refusal(
            Refusal(error_response.status, error_response.message, request_id, error.code)
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
        request.wait_s, request.client = plan.wait_s, plan.client
        request.grant, request.caller_priority = plan.grant, plan.caller_priority
        request.program = plan.program
        if plan.is_captured:
            start_capture(request, response, self._long_streams)
        if plan.request_id_dialect is not None:
            response.set_request_id_header(plan.request_id_dialect)
        return plan

    def _make_plan(self, request: ProxyRequest, response: Response) -> "_RequestPlan":
        """Derive the plan from the request head alone. Raises an error if the request is refused."""
        head, policy = request.head, self._policy
        peer = request.peer_host
        request.client = None if peer is None else unmapped(peer)
        request.program = _program(head.fields.get(b"user-agent", b""))
        response.closes_connection = True  # until the request has passed the access checks
        response.extra_header_lines = response_header_lines = encode_header_lines(
            policy.response_headers(head)
        )
        preflight = policy.check_host_and_origin(head, request.server_host)
        if preflight is not None:
            response.closes_connection = False
            send = partial(_send_preflight, encode_header_lines(preflight))
            return _RequestPlan(send, self._services, policy, b"", request.path, request.client)
        request.grant = grant = policy.check_key(head)
        response.closes_connection = False
        return self._plan_for_grant(request, grant, response_header_lines)

    def _plan_for_grant(
        self, request: ProxyRequest, grant: Grant | None, response_header_lines: bytes
    ) -> "_RequestPlan":
        """Derive the plan of a request with these rights. Raises an error if they do not suffice."""
        head, services = request.head, self._services
        operation, path = find_operation(head.method, head.raw_path, head.fields.get(b"host"), request.scheme)
        spec = operation.spec
        check_access(spec.access, caller_of(request))
        key_name = None if grant is None else grant.key_name
        has_recordable_bodies = spec.metering in {Metering.PROMPT, Metering.TOKENS}
        return _RequestPlan(
            handler=operation.handler,
            services=self._services_for(grant, self._own_services(head)),
            policy=self._policy,
            response_header_lines=response_header_lines,
            path=path,
            client=request.client,
            grant=grant,
            caller_priority=None if spec.access is Access.PUBLIC else _caller_priority(head, grant),
            upstream_target=head.target_for(path),
            upstream_header_lines=encode_header_lines(_upstream_headers(head)),
            wait_s=_wait_s(head, services.options),
            stream_access=spec.access if spec.is_admin_stream else None,
            request_id_dialect=_request_id_dialect(dialect_for(path, head.fields)),
            program=request.program,
            is_captured=has_recordable_bodies and services.options.record_bodies.may_record(key_name),
            meter=services.limiter.meter(key_name),
            metering=spec.metering,
        )

    def _check_access(self, request: ProxyRequest, access: Access) -> None:
        """Raise the error of a request that may not use a route with ``access`` under the current policy."""
        head, policy = request.head, self._policy
        policy.check_host_and_origin(head, request.server_host)
        grant = policy.check_key(head)
        caller = Caller(head.fields, request.peer_host, request.server_host, grant, request.scheme)
        check_access(access, caller)

    def _own_services(self, head: RequestHead) -> Services | None:
        """Return the services of this machine alone if another gglib has forwarded the request; else None.

        Without heartbeats, which that gglib sends to the client itself: the status of the response stays open while
        the request waits, so that an error has a status and headers.
        """
        if not is_forwarded(head.headers):
            return None
        own = replace(self._services, options=replace(self._services.options, heartbeat_s=0))
        cluster = own.cluster
        if cluster is None:
            return own
        return replace(own, runtime=cluster.own_runtime, catalog=cluster.own_catalog, cluster=None)

    def _services_for(self, grant: Grant | None, own: Services | None) -> Services:
        """Return the services for a request with these rights: those of the app if it may use all models.

        ``own`` are those of this machine alone, for a request that another gglib has forwarded.
        """
        services = self._services if own is None else own
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
    client: str | None = None
    """IP address of the client: looking it up takes a system call."""
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
    program: str | None = None
    """Name of the client program."""
    is_captured: bool = False
    """Whether the bodies are captured: the model may still decide that they are not recorded."""
    meter: KeyMeter | None = None
    """The meter of the key; None if it has no limits. A change of its limits replaces the policy, and so the plan."""
    metering: Metering = Metering.NONE
    """What of the request counts against these limits."""


_program = lru_cache(maxsize=256)(program_name)


def _response_class(options: ProxyOptions) -> type[Response]:
    return RecordedResponse if options.record_bodies else Response


async def _handle_metered(
    plan: _RequestPlan, meter: KeyMeter, request: ProxyRequest, response: Response
) -> None:
    """Call the handler within the limits of the request's key. Raises ``RateLimitError`` beyond them."""
    if plan.metering is Metering.NONE:
        response.extra_header_lines += limits.header_lines(request, meter)
        await plan.handler(request, response, plan.services)
        return
    body = None
    if plan.metering is not Metering.REQUEST and meter.limits.tpm is not None:
        limit_bytes = plan.services.options.max_body_bytes
        body = await limits.read_body(request, response, meter, limit_bytes=limit_bytes)
    with limits.metered(request, response, meter, body, is_generating=plan.metering is Metering.TOKENS):
        await plan.handler(request, response, plan.services)


def _request_id_dialect(dialect: ErrorDialect) -> ErrorDialect | None:
    return dialect if dialect.request_id_header else None


def _caller_priority(head: RequestHead, grant: Grant | None) -> Priority | None:
    return caller_priority(requested_priority(head.headers), None if grant is None else grant.priority)


def _wait_s(head: RequestHead, options: ProxyOptions) -> float:
    """Return the wait for a model, in seconds: ``Prefer: wait=N`` (RFC 7240) can only shorten it."""
    preferred_s = preferred_wait_s(head.headers)
    return options.model_wait_s if preferred_s is None else min(preferred_s, options.model_wait_s)


def _own_code(error: Exception) -> str | None:
    """Return the code of an error of this gglib. That of an engine is any text, and may be one of gglib's own."""
    return error.code if isinstance(error, EngineError) else to_error_response(error).code


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


def _outcome(request: ProxyRequest, response: Response, error: Exception) -> Outcome:
    """Return the outcome of a request that failed with ``error``, before the error is sent."""
    return outcome_of(
        error,
        is_started=response.is_started,
        is_ended=response.is_ended,
        is_disconnected=request.is_disconnected,
    )


def _log_error(request: ProxyRequest, error: Exception) -> None:
    """Log errors that concern the operator. Client and engine errors are only sent to the client."""
    if isinstance(error, EngineError | HttpError):
        return
    if not isinstance(error, GglibError):
        log.error("%s: internal error", request.id, exc_info=error)
    elif error.source.value != "client" and not isinstance(error, ShuttingDownError):
        log.warning("%s: %s", request.id, error)


def _record(  # noqa: PLR0913 - what a record is made of
    request: ProxyRequest,
    response: Response,
    outcome: Outcome,
    message: str | None,
    *,
    started_s: float,
    ended_s: float,
) -> RequestRecord:
    head = request.head
    return RequestRecord(
        method=head.method,
        path=request.path,
        model=request.model,
        key_name=request.key_name,
        client=request.client,
        status=CLIENT_CLOSED_REQUEST if outcome.has_left else response.status,
        request_id=request.id,
        waited_s=request.waited_s,
        first_byte_s=None if response.first_byte_at_s is None else response.first_byte_at_s - started_s,
        duration_s=ended_s - started_s,
        chunks=response.chunks,
        is_streamed=response.is_stream,
        error_code=outcome.error_code,
        cut=outcome.cut,
        sent_status=response.status,
        program=request.program,
        requested_model=request.other_name,
        profile=request.profile_name,
        error_message=message,
        node=None if request.running_target is None else request.running_target.node,
        continues_restored=request.continues_restored,
    )
