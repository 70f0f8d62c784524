"""The engine arguments that a model may set: a table, its checks, and its spelling for each engine."""

from gglib.runtime.engines.llama_cpp.options.option import EngineOption
from gglib.runtime.engines.llama_cpp.options.parsing import (
    final_values,
    launch_slots,
    parse_engine_args,
    passed_arguments,
)
from gglib.runtime.engines.llama_cpp.options.table import ENGINE_OPTIONS, OPTION_GROUPS, OPTIONS_BY_NAME

__all__ = [
    "ENGINE_OPTIONS",
    "OPTIONS_BY_NAME",
    "OPTION_GROUPS",
    "EngineOption",
    "final_values",
    "launch_slots",
    "parse_engine_args",
    "passed_arguments",
]
