"""The environment of child processes."""

from gglib.runtime.environment import child_environment
from gglib.system.service_manager.protocol import VARIABLES


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


def test_a_child_does_not_speak_for_gglib_to_its_service_manager() -> None:
    """Neither its notifications nor its descriptors are inherited (sd_notify(3), sd_listen_fds(3))."""
    given = dict.fromkeys(VARIABLES, "1") | {"LISTEN": "kept", "PATH": "/bin"}
    assert child_environment(given) == {"LISTEN": "kept", "PATH": "/bin"}
