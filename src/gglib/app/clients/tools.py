"""Programs for terminals that need little of a model: Aider, Continue's ``cn``, and llm. Pure."""

import json
from pathlib import Path

from gglib.app.clients.client import (
    Client,
    ConfigFile,
    ConfigFormat,
    Connection,
    Kind,
    Launch,
    LaunchFile,
    Places,
    Program,
    Settings,
    Verified,
)
from gglib.app.clients.entries import KEY_VARIABLE, PROVIDER, RUN_ON, command, config_settings, launch_file
from gglib.app.clients.snippets import config_text, exports

_CONTINUE_HEAD = {"name": PROVIDER, "version": "1.0.0", "schema": "v1"}
"""What each configuration of Continue begins with."""


def _aider_settings(connection: Connection, places: Places) -> Settings:
    del places
    start = command("aider", "--model", f"openai/{connection.model}")
    variables = exports({"OPENAI_API_BASE": connection.base}, {"OPENAI_API_KEY": connection.key_as("$%s")})
    return Settings(where="in a terminal", text=f"{variables}\n{start}")


def _aider_launch(connection: Connection, directory: Path) -> Launch:
    """Return variables, and a file with the facts that Aider's own list of models lacks."""
    model = f"openai/{connection.model}"
    facts = {
        "max_input_tokens": connection.context,
        "max_output_tokens": connection.max_output,
        "max_tokens": connection.max_output,
        "input_cost_per_token": 0,
        "output_cost_per_token": 0,
        "litellm_provider": "openai",
        "mode": "chat",
    }
    file = launch_file(directory, "aider", ".json", json.dumps({model: facts}))
    return Launch(
        environment={"OPENAI_API_BASE": connection.base},
        key_variables=("OPENAI_API_KEY",),
        arguments=("--model", model, "--model-metadata-file", str(file.path)),
        files=(file,),
    )


def _continue_model(connection: Connection, key: str) -> dict[str, object]:
    return {
        "name": connection.model,
        "provider": "openai",
        "model": connection.model,
        "apiBase": connection.base,
        "apiKey": key,
        "roles": ["chat", "edit", "apply"],
        "defaultCompletionOptions": {
            "contextLength": connection.context,
            "maxTokens": connection.max_output,
        },
    }


def _continue_settings(connection: Connection, places: Places) -> Settings:
    model = _continue_model(connection, connection.key_as("${{ secrets.%s }}"))
    file = ConfigFile(
        path=places.directory("CONTINUE_GLOBAL_DIR", ".continue") / "config.yaml",
        format=ConfigFormat.YAML,
        values={"models": [model]},
        defaults=_CONTINUE_HEAD,
        identity=("model", "apiBase"),
    )
    return config_settings(file, start="cn")


def _continue_launch(connection: Connection, directory: Path) -> Launch:
    model = _continue_model(connection, f"${{{{ secrets.{KEY_VARIABLE} }}}}")
    config = {**_CONTINUE_HEAD, "models": [model]}
    file = launch_file(directory, "continue", ".yaml", config_text(config, ConfigFormat.YAML) + "\n")
    return Launch(key_variables=(KEY_VARIABLE,), arguments=("--config", str(file.path)), files=(file,))


def _llm_model(connection: Connection) -> dict[str, object]:
    """Return a model of llm. ``api_key_name`` makes it use its key of that name, else ``OPENAI_API_KEY``."""
    return {
        "model_id": f"{PROVIDER}/{connection.model}",
        "model_name": connection.model,
        "api_base": connection.base,
        "api_key_name": PROVIDER,
        "supports_tools": True,
        "supports_schema": True,
    }


def _llm_settings(connection: Connection, places: Places) -> Settings:
    named = places.environ.get("LLM_USER_PATH")
    directory = Path(named) if named else places.application_data / "io.datasette.llm"
    model = _llm_model(connection)
    if connection.key is None:
        del model["api_key_name"]
    file = ConfigFile(
        path=directory / "extra-openai-models.yaml",
        format=ConfigFormat.YAML,
        values=[model],
        identity=("model_id",),
    )
    start = command("llm", "-m", f"{PROVIDER}/{connection.model}", "Hi")
    if connection.key is None:
        return config_settings(file, start=start)
    return config_settings(file, start=f'OPENAI_API_KEY="${connection.key.variable}" {start}')


def _llm_launch(connection: Connection, directory: Path) -> Launch:
    """Return a directory of gglib's own, with the model and the log: llm reads models from no other place."""
    path = directory / "llm" / "extra-openai-models.yaml"
    content = config_text([_llm_model(connection)], ConfigFormat.YAML) + "\n"
    return Launch(
        environment={"LLM_USER_PATH": str(path.parent), "LLM_MODEL": f"{PROVIDER}/{connection.model}"},
        key_variables=("OPENAI_API_KEY",),
        files=(LaunchFile(path=path, content=content),),
    )


TOOLS = (
    Client(
        name="aider",
        title="Aider",
        kind=Kind.PROGRAM,
        speaks=("openai",),
        how="environment and arguments",
        settings=_aider_settings,
        program=Program(executable="aider", install="pip install aider-chat", launch=_aider_launch),
        verified=Verified(version="0.86.0", date=RUN_ON),
    ),
    Client(
        name="continue",
        title="Continue",
        kind=Kind.PROGRAM,
        speaks=("openai",),
        how="config.yaml, also of the editors' extension",
        settings=_continue_settings,
        program=Program(
            executable="cn",
            install="npm install -g @continuedev/cli",
            launch=_continue_launch,
            prompt_tokens=1_200,
        ),
        verified=Verified(version="1.5.47", date=RUN_ON),
    ),
    Client(
        name="llm",
        title="llm",
        kind=Kind.PROGRAM,
        speaks=("openai",),
        how="extra-openai-models.yaml",
        settings=_llm_settings,
        program=Program(executable="llm", install="pip install llm", launch=_llm_launch),
        verified=Verified(version="0.36", date=RUN_ON),
    ),
)
