"""Derives the configurations of the proxy, the launcher and the runtime from the settings."""

from contextlib import suppress
from dataclasses import replace

from gglib.app.certificates.loading import ServerCertificate
from gglib.app.memory.accounts import LocalMemoryAccounts
from gglib.app.memory.fitting import fit_slots, slot_bytes_token
from gglib.app.memory.policy import memory_policy
from gglib.app.serving.recording import recording_rule
from gglib.app.serving.request_limits import allowed_engine_fields, schema_limits
from gglib.app.serving.supervisor import OLLAMA_BUSY_ADVICE, ProxyConfig
from gglib.app.settings import Settings
from gglib.core.api_keys import LOCAL_KEY_NAME, ApiKey
from gglib.core.authorities import is_plain_loopback, read_host
from gglib.core.memory import DeviceBytes
from gglib.db import SqliteCatalog
from gglib.proxy import ProxyOptions
from gglib.runtime import LaunchConfig, RuntimeConfig
from gglib.runtime.engines import Engine
from gglib.runtime.local.kept_prompts.service import KeepSettings
from gglib.system import read_memory_state

MIB = 1024 * 1024


def proxy_options(
    settings: Settings, local_key: str | None = None, certificate: ServerCertificate | None = None
) -> ProxyOptions:
    """Return the options; with access keys, ``local_key`` is accepted too.

    The names of the certificate are allowed hosts: no page can take them over by DNS rebinding, because its browser
    would refuse the certificate.
    """
    own = {} if local_key is None or not settings.api_keys else {LOCAL_KEY_NAME: ApiKey.admin(local_key)}
    return ProxyOptions(
        max_body_bytes=settings.max_body_mb * MIB,
        max_bodies_bytes=settings.max_bodies_mb * MIB,
        heartbeat_s=settings.heartbeat_s,
        model_wait_s=settings.model_wait_s,
        first_byte_s=settings.first_byte_s,
        chunk_gap_s=settings.chunk_gap_s,
        stalled_client_s=settings.stalled_client_s,
        api_keys={**settings.api_keys, **own},
        allowed_hosts=settings.allowed_hosts + _listen_name(settings.host) + _certificate_hosts(certificate),
        cors_origins=settings.cors_origins,
        default_model=settings.default_model,
        aliases=dict(settings.aliases),
        allowed_engine_fields=allowed_engine_fields(settings),
        max_connections=settings.max_connections,
        schema_limits=schema_limits(settings),
        record_bodies=recording_rule(settings),
        tls=None if certificate is None else certificate.context,
    )


def _listen_name(host: str) -> tuple[str, ...]:
    """Return the configured host as an allowed host name; loopback names are always allowed."""
    try:
        name = read_host(host)
    except ValueError:
        return ()
    return () if is_plain_loopback(name) else (name,)


def _certificate_hosts(certificate: ServerCertificate | None) -> tuple[str, ...]:
    """Return the names of a certificate that are whole names; a wildcard is none."""
    hosts = []
    for name in () if certificate is None else certificate.facts.names:
        with suppress(ValueError):
            hosts.append(read_host(name))
    return tuple(hosts)


def proxy_config(settings: Settings) -> ProxyConfig:
    """Return the address of the proxy."""
    return ProxyConfig(
        host=settings.host,
        port=settings.port,
        default_ctx=settings.default_ctx,
        scheme="http" if settings.certificate_files is None else "https",
    )


def ollama_config(settings: Settings, port: int) -> ProxyConfig:
    """Return the address of the second port, for clients of Ollama."""
    return replace(proxy_config(settings), port=port, busy_advice=OLLAMA_BUSY_ADVICE)


def launch_config(
    settings: Settings, engine: Engine, catalog: SqliteCatalog, accounts: LocalMemoryAccounts
) -> LaunchConfig:
    """Return how engines are launched."""
    # Under a budget, a launch is sized by it. Otherwise a model has the free memory of the machine for itself.
    policy = memory_policy(settings, accounts.budget)
    return LaunchConfig(
        read_gpus=accounts.read_gpus,
        engine=engine,
        engines_dir=settings.run_dir.absolute() / "engines",
        log_dir=settings.log_dir,
        slots=settings.slots,
        fit_slots=accounts.fit_slots if policy.limits_memory else fit_slots(engine),
        prompt_cache=accounts.prompt_cache_mib if policy.limits_memory else None,
        concurrent_engines=policy.capacity,
        heartbeat_s=settings.heartbeat_s,
        memory_state=read_memory_state,
        keep=KeepSettings(
            directory=settings.kept_dir.absolute(),
            limit_bytes=settings.kv_keep_bytes,
            keeps_over_restart=settings.kv_keep_over_restart,
            bytes_token=slot_bytes_token,
        ),
        resolve=catalog.resolve_for_launch,
    )


def runtime_config(settings: Settings, budget: DeviceBytes) -> RuntimeConfig:
    """Return the limits and times of the runtime."""
    policy = memory_policy(settings, budget)
    return RuntimeConfig(
        capacity=policy.capacity,
        limits_memory=policy.limits_memory,
        swap_wait_s=settings.swap_wait_s,
        model_wait_s=settings.model_wait_s,
        drain_s=settings.drain_s,
    )
