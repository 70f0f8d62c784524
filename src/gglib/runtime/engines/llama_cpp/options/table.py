"""All options that a model may set, in groups: the listings and the documents are made from this table. Pure.

An allow-list: it lacks what gglib sets itself (see ``reserved``).
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from gglib.runtime.engines.llama_cpp.options.adapters import ADAPTERS
from gglib.runtime.engines.llama_cpp.options.cache import CACHE
from gglib.runtime.engines.llama_cpp.options.compute import COMPUTE
from gglib.runtime.engines.llama_cpp.options.drafting import DRAFTING
from gglib.runtime.engines.llama_cpp.options.inputs import INPUTS
from gglib.runtime.engines.llama_cpp.options.option import EngineOption
from gglib.runtime.engines.llama_cpp.options.placement import PLACEMENT
from gglib.runtime.engines.llama_cpp.options.sampling import SAMPLING
from gglib.runtime.engines.llama_cpp.options.templates import TEMPLATES

OPTION_GROUPS: Mapping[str, Sequence[EngineOption]] = MappingProxyType(
    {
        "Threads, batches and slots": COMPUTE,
        "Devices and weights": PLACEMENT,
        "Context and cache": CACHE,
        "Chat template and reasoning": TEMPLATES,
        "Adapters": ADAPTERS,
        "Drafts": DRAFTING,
        "Images and embeddings": INPUTS,
        "Sampling": SAMPLING,
    }
)

ENGINE_OPTIONS = tuple(option for group in OPTION_GROUPS.values() for option in group)

OPTIONS_BY_NAME: Mapping[str, EngineOption] = MappingProxyType(
    {name: option for option in ENGINE_OPTIONS for name in (*option.names, *option.off_names)}
)
