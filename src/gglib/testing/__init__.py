"""Test support for gglib and for programs that embed it: verified fakes and a scripted engine.

Public names are imported on first use: the scripted engine must start as fast as a real one.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gglib.testing.fake_catalog import FakeCatalog
    from gglib.testing.fake_history import FakeHistory
    from gglib.testing.fake_hub import FakeHub
    from gglib.testing.fake_library import FakeLibrary
    from gglib.testing.fake_machine import FakeMachine
    from gglib.testing.fake_nodes import FakeNodes, NodeCommand
    from gglib.testing.fake_runtime import FakeRuntime, Lease
    from gglib.testing.local_hub import LocalHub
    from gglib.testing.local_releases import LocalReleases
    from gglib.testing.scripted_server.install import install_scripted_server
    from gglib.testing.scripted_server.record import read_record
    from gglib.testing.scripted_server.script import Script
    from gglib.testing.tiny_adapters import write_tiny_control_vector, write_tiny_lora
    from gglib.testing.tiny_gguf import write_tiny_encoder, write_tiny_gguf, write_tiny_projector

__all__ = [
    "FakeCatalog",
    "FakeHistory",
    "FakeHub",
    "FakeLibrary",
    "FakeMachine",
    "FakeNodes",
    "FakeRuntime",
    "Lease",
    "LocalHub",
    "LocalReleases",
    "NodeCommand",
    "Script",
    "install_scripted_server",
    "read_record",
    "write_tiny_control_vector",
    "write_tiny_encoder",
    "write_tiny_gguf",
    "write_tiny_lora",
    "write_tiny_projector",
]

_MODULES = {
    "Lease": "fake_runtime",
    "FakeCatalog": "fake_catalog",
    "FakeHistory": "fake_history",
    "FakeHub": "fake_hub",
    "FakeLibrary": "fake_library",
    "FakeMachine": "fake_machine",
    "FakeNodes": "fake_nodes",
    "NodeCommand": "fake_nodes",
    "FakeRuntime": "fake_runtime",
    "LocalHub": "local_hub",
    "LocalReleases": "local_releases",
    "Script": "scripted_server.script",
    "install_scripted_server": "scripted_server.install",
    "read_record": "scripted_server.record",
    "write_tiny_control_vector": "tiny_adapters",
    "write_tiny_encoder": "tiny_gguf",
    "write_tiny_gguf": "tiny_gguf",
    "write_tiny_lora": "tiny_adapters",
    "write_tiny_projector": "tiny_gguf",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in _MODULES:
        raise AttributeError(f"module 'gglib.testing' has no attribute '{name}'")
    return getattr(importlib.import_module(f"gglib.testing.{_MODULES[name]}"), name)
