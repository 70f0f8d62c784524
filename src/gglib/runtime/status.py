"""Builds the runtime status from the scheduler, the launches and the swap history. ``now`` is an argument."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gglib.core.errors import BatchSlotsFullError, GglibError, ModelLoadingError
from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.runtime.expectation import with_expectations
from gglib.core.runtime.kept_prompts import KeptTotals
from gglib.core.runtime.load_progress import LoadProgress
from gglib.core.runtime.status import ResidentStatus, RuntimeStatus, WaitingStatus
from gglib.runtime.launcher import EngineRun, load_time_s
from gglib.runtime.memory_watch import MemoryWatch
from gglib.runtime.scheduler.events import Requested
from gglib.runtime.scheduler.load_times import LoadTimes
from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.runtime.scheduler.state import Resident, ResidentState
from gglib.runtime.scheduler.swap_hint import SwapHint
from gglib.runtime.scheduler.swap_history import SwapHistory, failure_reason

SLOT_RETRY_S = 1.0
"""``Retry-After`` of a batch request without a slot. When the next response ends is unknown."""


@dataclass(frozen=True, slots=True)
class StatusReader:
    """Read-only view of residents, waiters, load times, sizes and past swaps."""

    scheduler: Scheduler
    runs: Mapping[int, EngineRun]
    """The current launches by generation."""
    load_times: LoadTimes
    swap_history: SwapHistory
    swap_hint: SwapHint
    memory_watch: MemoryWatch
    kept_totals: Callable[[], KeptTotals | None]
    """``Launcher.kept_totals``."""

    def status(self, now: float) -> RuntimeStatus:
        """Return resident models, waiting requests, failed loads, and counts since the start."""
        waiting: dict[str, list[float]] = {}
        for waiter in self.scheduler.waiters:
            waiting.setdefault(waiter.spec.model_name, []).append(now - waiter.since)
        status = RuntimeStatus(
            residents=tuple(self._resident(resident, now) for resident in self.scheduler.residents),
            waiting=tuple(
                WaitingStatus(model_name=name, waiting=len(waits), longest_wait_s=max(waits))
                for name, waits in waiting.items()
            ),
            failed=tuple((f.spec.model_name, failure_reason(f.error)) for f in self.scheduler.failures),
            last_swap=self.swap_history.last(now),
            swaps=self.swap_history.swap_counts,
            loads=self.swap_history.load_counts,
            limits=dict(self.scheduler.placement.memory_budget),
            hint=self.swap_hint.text,
            kept=self.kept_totals(),
        )
        return with_expectations(status)

    def current(self) -> RunningTarget | None:
        """Return the most recently used ready model, or None."""
        return self._latest([r for r in self.scheduler.residents if r.state is ResidentState.READY])

    def ready_target(self, model_name: str) -> RunningTarget | None:
        """Return the target of a ready model, or None."""
        return self._latest(
            [
                r
                for r in self.scheduler.residents
                if r.state is ResidentState.READY and r.spec.model_name == model_name
            ]
        )

    def _latest(self, ready: Sequence[Resident]) -> RunningTarget | None:
        """Return the target of the most recently used resident."""
        latest = max(ready, key=lambda r: (bool(r.holders), r.last_used), default=None)
        return self.runs[latest.generation].target if latest is not None else None

    def is_blocking_swap(self, target: RunningTarget) -> bool:
        """Whether ``target`` drains while other requests wait."""
        return bool(self.scheduler.waiters) and any(
            resident.state is ResidentState.DRAINING and self.runs[resident.generation].target == target
            for resident in self.scheduler.residents
        )

    def timeout_error(self, request: Requested, now: float) -> GglibError:
        """Return the error for a request that stops waiting: its model loads, or has no slot for a batch request."""
        is_ready = any(
            r.state is ResidentState.READY and r.serves(request.spec, request.needed_ctx)
            for r in self.scheduler.residents
        )
        if is_ready:
            return BatchSlotsFullError(request.spec.model_name, SLOT_RETRY_S)
        return self._loading_error(request.spec, now)

    def _loading_error(self, spec: ModelLaunchSpec, now: float) -> ModelLoadingError:
        """Return the error with the load's progress and ``Retry-After``."""
        elapsed_s = self._loading_for_s(spec, now)
        retry_after_s = self.load_times.retry_after_s(spec, elapsed_s=0.0 if elapsed_s is None else elapsed_s)
        progress = LoadProgress(elapsed_s=elapsed_s, expected_s=self.load_times.expected_s(spec))
        return ModelLoadingError(spec.model_name, retry_after_s, progress)

    def _loading_for_s(self, spec: ModelLaunchSpec, now: float) -> float | None:
        """Return the elapsed time of the model's load; None if none has started."""
        starts = [
            self.runs[resident.generation].started_at
            for resident in self.scheduler.residents
            if resident.spec.model_id == spec.model_id and resident.state is ResidentState.LOADING
        ]
        return now - min(starts) if starts else None

    def _resident(self, resident: Resident, now: float) -> ResidentStatus:
        run = self.runs[resident.generation]
        is_loading = resident.state is ResidentState.LOADING
        return ResidentStatus(
            model_id=resident.spec.model_id,
            model_name=resident.spec.model_name,
            state=resident.state.value,
            effective_ctx=resident.context,
            in_flight=len(resident.holders),
            slots=run.slots,
            pid=run.pid,
            uptime_s=None if run.ready_at is None else now - run.ready_at,
            load_time_s=load_time_s(run),
            loading_for_s=now - run.started_at if is_loading else None,
            expected_load_s=self.load_times.expected_s(resident.spec) if is_loading else None,
            idle_ttl_s=resident.idle_ttl_s,
            idle_s=now - resident.last_used if resident.is_idle else None,
            size=dict(resident.size),
            is_measured=resident.is_measured,
            estimated_size=dict(self.memory_watch.estimated_size(resident.generation)),
            measured_size=dict(self.memory_watch.measured_size(resident.generation)),
            is_pinned=resident.spec.model_id in self.scheduler.pinned,
            threads=run.threads,
            restored=run.restored,
            kept_off_reason=run.kept_off_reason,
            keep_hint=run.keep_hint,
        )
