"""The environment of child processes."""

from gglib.runtime.environment import child_environment


def test_secrets_and_own_settings_are_not_passed_on() -> None:
    """Neither keys of services nor gglib's settings reach an engine or a command; the rest does."""
    own = {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0", "LLAMA_ARG_PORT": "1", "TOKEN": "t"}
    secrets = dict.fromkeys(
        (
            "HF_TOKEN",
            "GGLIB_API_KEY",
            "OPENAI_X",
            "BOX_API_KEY",
            "BOX_KEY",
            "A_TOKEN",
            "B_SECRET",
            "C_PASSWORD",
        ),
        "s",
    )
    assert child_environment({**own, **secrets}) == own


def test_variables_with_options_of_an_engine_are_dropped() -> None:
    """They would apply silently."""
    assert child_environment({"LLAMA_ARG_PORT": "1", "A": "b"}, dropped=("LLAMA_",)) == {"A": "b"}
