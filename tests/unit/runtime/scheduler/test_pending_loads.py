"""Loads without waiters: one for each model, renewed by each request that does not wait."""

from dataclasses import replace
from pathlib import Path

from gglib.core.models import ModelLaunchSpec, ModelSettings
from gglib.runtime.scheduler.pending_loads import PENDING_LOAD_S, PendingLoads
from gglib.runtime.scheduler.state import Waiter

A = ModelLaunchSpec(model_id=1, model_name="a", path=Path("/a.gguf"))
B = ModelLaunchSpec(model_id=2, model_name="b", path=Path("/b.gguf"))


def waiter(ticket: int, spec: ModelLaunchSpec = A, context: int = 8192, ram: int = 10) -> Waiter:
    """Return a request that came at the time of its number."""
    return Waiter(ticket, spec, context, context, float(ticket), size={"ram": ram})


def test_requests_for_one_model_share_a_load() -> None:
    """It is as large as the largest, has the newest ticket, the first time, and expires after the last."""
    loads = PendingLoads()
    loads.add(waiter(1, context=16384, ram=20), 1)
    loads.add(waiter(2), 2)
    (load,) = loads.all
    assert (load.ticket, load.needed_ctx, load.launch_ctx, load.size) == (2, 16384, 16384, {"ram": 20})
    assert (load.since, load.expires_at) == (1, 2 + PENDING_LOAD_S)


def test_other_settings_and_expired_loads_are_replaced() -> None:
    """Their larger context is not needed any more; the time is that of the first request for this version."""
    loads = PendingLoads()
    loads.add(waiter(1, context=16384), 1)
    other = replace(A, settings=ModelSettings(context=4096))
    loads.add(waiter(2, other), 2)
    assert (loads.all[0].needed_ctx, loads.all[0].since) == (8192, 1)
    loads.add(waiter(3, other, context=16384), 3)
    late = 3 + PENDING_LOAD_S
    loads.add(waiter(4, other), late)
    assert loads.all[0].needed_ctx == 8192


def test_a_newer_version_has_its_own_time() -> None:
    """A launch of the older version does not serve it."""
    loads = PendingLoads()
    loads.add(waiter(1), 1)
    loads.add(waiter(2, replace(A, path=Path("/new.gguf"))), 2)
    assert loads.all[0].since == 2


def test_loads_are_kept_in_order_and_dropped() -> None:
    """By model, or by a condition."""
    loads = PendingLoads()
    assert not loads
    loads.add(waiter(1), 1)
    loads.add(waiter(2, B), 2)
    loads.add(waiter(3), 3)
    assert [load.spec for load in loads.all] == [A, B]
    assert loads.get(2) is loads.all[1]
    loads.drop(lambda load: load.spec is A)
    assert [load.spec for load in loads.all] == [B]
    loads.discard(2)
    loads.discard(2)
    assert not loads
    assert loads.get(2) is None
    loads.add(waiter(4), 4)
    loads.clear()
    assert not loads


def test_a_renewed_load_expires_later() -> None:
    """Never earlier; a model without a load has none afterwards."""
    loads = PendingLoads()
    loads.add(waiter(1), 1)
    loads.renew(1, 30)
    assert loads.all[0].expires_at == 30 + PENDING_LOAD_S
    loads.renew(1, 20)
    assert loads.all[0].expires_at == 30 + PENDING_LOAD_S
    loads.renew(2, 30)
    assert len(loads.all) == 1


def test_a_new_budget_sets_the_sizes() -> None:
    """By spec and context; a load without a new size keeps its own."""
    loads = PendingLoads()
    loads.add(waiter(1, A, ram=0), 1)
    loads.add(waiter(2, B, ram=5), 2)
    loads.resize({(A, 8192): {"ram": 20}, (B, 4096): {"ram": 30}})
    assert [load.size for load in loads.all] == [{"ram": 20}, {"ram": 5}]
