"""What becomes of each field of llama-swap's configuration. Pure.

Sources: llama-swap's ``config-schema.json``, ``docs/configuration.md`` and ``internal/config``, read on 2026-11-30.
"""

from gglib.library.importers.configurations.files.field_rules import FieldRules, becomes, lacks

_TIMEOUTS = lacks(
    "the timeouts of engines are settings of all models",
    "'gglib config set first_byte_s SECONDS' and 'gglib config set chunk_gap_s SECONDS'",
)
_LOADING = lacks(
    "waiting streams are kept open without text in them",
    "'gglib ps' shows what loads",
    default=False,
)
_FILTERS = "a [profile](models.md#profiles) of the model"

TOP_RULES: FieldRules = {
    "models": becomes("models, see below"),
    "macros": becomes("replaced where they are used, with `${env.NAME}`"),
    "globalTTL": becomes("the idle time of models without a `ttl`"),
    "logLevel": becomes("the setting `log_level`"),
    "hooks": becomes("`on_startup.preload`: the setting `preload`"),
    "groups": becomes(
        "the setting `max_models`: as many models as the groups let run at once; `persistent`: the models are pinned"
    ),
    "matrix": becomes("the setting `max_models`: the size of the largest set"),
    "routing": becomes(
        "`router` as `groups` or `matrix`; `scheduler.settings.fifo.priority`: priorities of models"
    ),
    "peers": becomes(
        "models that are served by a URL; an `apiKey` of the form `${env.NAME}` names the variable"
    ),
    "profiles": becomes("listed, with the commands that set the same names as aliases"),
    "apiKeys": lacks(
        "keys are never copied from another program", "'gglib key new NAME' makes a key, one for each client"
    ),
    "healthCheckTimeout": becomes(
        "the start timeout of commands; that of files depends on their size, and a load ends when its process exits"
    ),
    "unloadTimeout": lacks(
        "an engine ends within 7 seconds after its running responses",
        "'gglib config set drain_s {value}' changes how long it waits",
    ),
    "startPort": lacks("engines get a private socket, or a free port"),
    "sendLoadingState": _LOADING,
    "includeAliasesInList": lacks(
        "the list of models has each model once; requests may use any alias",
        "'gglib alias' lists aliases",
        default=False,
    ),
    "logTimeFormat": lacks(
        "the format of times in the log is fixed", "'gglib config set log_format json'", default=""
    ),
    "logToStdout": lacks("the log goes to stderr and to files", "'gglib logs'", default="proxy"),
    "logRequests": lacks("requests are stored in the history", "'gglib requests'", default=False),
    "metricsMaxInMemory": lacks(
        "the request history is on disk, bounded by the settings history_mb and history_days",
        "'gglib requests'",
    ),
    "captureBuffer": lacks(
        "the bodies of requests are recorded only if this is switched on",
        "'gglib config set record_bodies true'",
        default=0,
    ),
    "store": lacks("the request history is always on disk, in gglib's home", "'gglib requests'"),
    "ui": lacks("it is for llama-swap's own page", "'gglib requests' and gglib's page"),
    "performance": lacks(
        "the machine is measured when it is asked about", "'gglib top', or /metrics for Prometheus"
    ),
    "upstream": lacks("no path passes through to an engine"),
}

MODEL_RULES: FieldRules = {
    "cmd": becomes(
        "llama-server with `--model`: a model of the catalogue with its options; with `-hf`: listed, with the "
        "`gglib pull` to type; other programs: a model served by that command"
    ),
    "cmdStop": lacks("a program is stopped by a signal, then its process group is ended"),
    "proxy": becomes(
        "of a program on this machine: not needed; of another machine: a model served by that URL"
    ),
    "env": becomes(
        "the model's environment, for llama-server as far as [engines may get it](engine-options.md); its own "
        "variables (`LLAMA_ARG_…`) become options"
    ),
    "aliases": becomes("aliases"),
    "ttl": becomes("the idle time (`gglib set --idle-ttl`)"),
    "name": becomes("the first words of the description"),
    "description": becomes("the description"),
    "filters": becomes(
        "`stripParams` and `setParams`: the profile `filters`, requested as `MODEL:filters`; each key of "
        "`setParamsByID`: a profile"
    ),
    "macros": becomes("replaced where they are used"),
    "checkEndpoint": becomes("the health path of a command; not needed for llama-server"),
    "useModelName": becomes("of a command or URL: the model's name there; not needed for llama-server"),
    "concurrencyLimit": becomes(
        "of a command: how many requests it gets at a time, others wait; of a file: listed, with the command that "
        "sets the model's slots"
    ),
    "unloadTimeout": TOP_RULES["unloadTimeout"],
    "sendLoadingState": _LOADING,
    "timeouts": _TIMEOUTS,
    "metadata": lacks("the list of models has no fields of the user's own"),
    "unlisted": lacks(
        "all models are listed to clients that may use them",
        "'gglib key new NAME --models PATTERN' limits what a client sees",
        default=False,
    ),
    "capabilities": becomes(
        "`reranker: true`: the kind rerank; `in` and `out` of a command or URL: the paths that it serves, such as "
        "`/v1/audio/transcriptions`; the others are read from the model's file"
    ),
}

FILTER_RULES: FieldRules = {
    "stripParams": becomes(f"fields that {_FILTERS} removes"),
    "strip_params": becomes("as `stripParams`"),
    "setParams": becomes(f"fields that {_FILTERS} sets, whatever the request has"),
    "setParamsByID": becomes(f"for each name {_FILTERS}, with the fields of `setParams`"),
}

PEER_RULES: FieldRules = {
    "proxy": becomes("the URL"),
    "models": becomes("one model each"),
    "apiKey": becomes("`${env.NAME}`: the variable that has the key; a key itself is never stored"),
    "filters": becomes("a profile of each model, as of `models`"),
    "timeouts": _TIMEOUTS,
}
