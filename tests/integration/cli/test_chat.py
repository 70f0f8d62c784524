"""``gglib run`` in a real terminal, in pipes and with options, against a server that answers as the test says."""

import json
import os
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.support.preloaded import GGLIB, PreloadedProcess
from tests.support.terminal import CTRL_C, CTRL_D, CTRL_J, ENTER, TAB, Terminal, terminal

from .chat_server import ChatServer, Reply, chat_server

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8
WORDS = "The quick brown foxes jump over several lazy dogs, and none of the dogs minds it at all. "
LENGTH = Reply(text="One, two", finish_reason="length", tokens=2048)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    """Yield a server with one model, ``tiny``."""
    with chat_server() as running:
        yield running


class Chat:
    """Starts chats with one server and one home."""

    def __init__(self, server: ChatServer, home: Path) -> None:
        self._server = server
        self.home = home
        self.variables: dict[str, str] = {}

    @property
    def environment(self) -> dict[str, str]:
        """Environment of the commands."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GGLIB_")}
        return kept | {"GGLIB_HOME": str(self.home)} | self.variables

    def command(self, *arguments: str) -> list[str]:
        """Return the command of a chat."""
        return [*GGLIB, "--url", self._server.url, "run", *arguments]

    def terminal(
        self, *arguments: str, columns: int = 80, rows: int = 24
    ) -> AbstractContextManager[Terminal]:
        """Chat in a terminal."""
        return terminal(self.command(*arguments), env=self.environment, columns=columns, rows=rows)

    def piped(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run the command with pipes."""
        with PreloadedProcess[bytes](
            self.command(*arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
        ) as process:
            output, errors = process.communicate(stdin, timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


@pytest.fixture
def chat(server: ChatServer, tmp_path: Path) -> Chat:
    """Yield the chats of a home."""
    return Chat(server, tmp_path / "home")


def ask(shell: Terminal, text: str, answer: str = "Fine.", *, count: int = 1) -> None:
    """Type a prompt, and wait until the answer and the next prompt are there."""
    prompts = shell.text.count(">>>")
    shell.send(text + ENTER)
    shell.wait_for(answer, count=count)
    shell.wait_for(">>>", count=prompts + 1)


def leave(shell: Terminal) -> str:
    """Leave with ``/bye``, and return all lines."""
    shell.send(f"/bye{ENTER}")
    assert shell.wait_for_exit() == 0
    return shell.text


class TestPipes:
    def test_a_pipe_follows_the_prompt(self, chat: Chat, server: ChatServer) -> None:
        """``seq 3 | gglib run M "Sum:"`` sends both, with a blank line between them."""
        done = chat.piped("tiny", "Sum:", stdin=b"1\n2\n3\n")
        assert (done.returncode, done.stdout) == (0, b"Fine.\n")
        assert server.prompts() == ["Sum:\n\n1\n2\n3"]

    def test_an_empty_stdin_is_no_part_of_the_prompt(self, chat: Chat, server: ChatServer) -> None:
        """``</dev/null`` and an empty pipe send the prompt alone; without a prompt they are an error."""
        assert chat.piped("tiny", "Hi").returncode == 0
        with Path(os.devnull).open("rb") as null:
            done = subprocess.run(
                chat.command("tiny", "Hi"), stdin=null, capture_output=True, env=chat.environment, check=False
            )
        assert done.returncode == 0
        assert server.prompts() == ["Hi", "Hi"]
        assert chat.piped("tiny").returncode == 2

    def test_a_socket_that_stays_open_does_not_hold_the_prompt(self, chat: Chat, server: ChatServer) -> None:
        """Ssh without a terminal and other parents keep stdin open; what they have sent is read to its end."""
        for content, prompt in ((None, "Hi"), (b"1\n", "Hi\n\n1")):
            ours, theirs = socket.socketpair()
            with ours, theirs:
                if content is not None:
                    ours.sendall(content)
                    ours.shutdown(socket.SHUT_WR)
                done = subprocess.run(
                    chat.command("tiny", "Hi"),
                    stdin=theirs.fileno(),
                    capture_output=True,
                    env=chat.environment,
                    timeout=60,
                    check=False,
                )
            assert done.returncode == 0, done.stderr
            assert server.prompts()[-1] == prompt

    def test_a_silent_pipe_is_noted(self, chat: Chat) -> None:
        """A pipe is read to its end, because a slow program may write to it; a note says what to do."""
        with subprocess.Popen(
            chat.command("tiny", "Hi"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=chat.environment,
        ) as waiting:
            assert waiting.stderr is not None
            assert waiting.stdin is not None
            assert b"'</dev/null' sends the prompt alone" in waiting.stderr.readline()
            waiting.stdin.close()
            assert waiting.wait(60) == 0

    def test_binary_data_is_refused(self, chat: Chat, server: ChatServer) -> None:
        """Nothing is sent."""
        done = chat.piped("tiny", "What?", stdin=b"\x7fELF\0\0")
        assert done.returncode == 1
        assert b"binary" in done.stderr
        assert server.bodies == []

    def test_a_pipe_gets_the_answer_only(self, chat: Chat, server: ChatServer) -> None:
        """The reasoning is left out, Markdown stays, and the limit is a note on stderr."""
        server.replies = [Reply(text="**One**", reasoning="Hm.", finish_reason="length", tokens=2048)]
        done = chat.piped("tiny", "Hi")
        assert (done.returncode, done.stdout) == (0, b"**One**\n")
        assert done.stderr == b"(stopped at 2,048 tokens; --max-tokens N allows more, 'off' any number)\n"
        assert server.bodies[0]["max_tokens"] == 2048


class TestOptions:
    def test_options_are_fields_of_the_request(self, chat: Chat, server: ChatServer) -> None:
        """Each option reaches the server; without a limit none is sent."""
        done = chat.piped(
            *("tiny", "Hi", "--system", "Be brief.", "--temperature", "0", "--top-p", "0.9", "--top-k", "3"),
            *("--min-p", "0.1", "--seed", "7", "--max-tokens", "off", "--ctx", "4096", "--think", "off"),
        )
        assert done.returncode == 0, done.stderr
        (body,) = server.bodies
        assert body["messages"][0] == {"role": "system", "content": "Be brief."}
        sampling = {
            name: body[name] for name in ("temperature", "top_p", "top_k", "min_p", "seed", "num_ctx")
        }
        assert sampling == {
            "temperature": 0,
            "top_p": 0.9,
            "top_k": 3,
            "min_p": 0.1,
            "seed": 7,
            "num_ctx": 4096,
        }
        assert body["chat_template_kwargs"] == {"enable_thinking": False}
        assert "max_tokens" not in body

    def test_json_is_one_object(self, chat: Chat, server: ChatServer) -> None:
        """It has the text, the reasoning, and the server's counts and times; stderr stays empty."""
        server.replies = [Reply(text="One\x1b[31m", reasoning="Hm.", finish_reason="length", tokens=2048)]
        done = chat.piped("tiny", "Hi", "--json")
        printed: dict[str, Any] = json.loads(done.stdout)
        assert (printed["model"], printed["text"], printed["reasoning"]) == ("tiny", "One\x1b[31m", "Hm.")
        assert printed["finish_reason"] == "length"
        assert printed["usage"]["completion_tokens"] == 2048
        assert printed["timings"]["predicted_per_second"] == 12.5
        assert (done.stderr, b"\x1b" in done.stdout) == (b"", False)

    def test_verbose_counts_on_stderr(self, chat: Chat) -> None:
        """Tokens of the prompt, those from the cache, the first token, and the speed."""
        done = chat.piped("tiny", "Hi", "--verbose")
        assert done.stdout == b"Fine.\n"
        assert b"36 prompt tokens (24 cached), first token " in done.stderr
        assert b", 5 tokens at 12.5/s, " in done.stderr

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("--temperature", "hot"), b"'temperature' must be a number from 0 to 5."),
            (("--max-tokens", "-1"), b"'max_tokens' must be an integer of at least 1, or 'off'."),
            (("--image", "/nowhere.png"), b"/nowhere.png cannot be read as an image"),
        ],
    )
    def test_a_wrong_value_is_one_sentence(
        self, arguments: tuple[str, ...], sentence: bytes, chat: Chat, server: ChatServer
    ) -> None:
        """Nothing is sent."""
        done = chat.piped("tiny", "Hi", *arguments)
        assert done.returncode == 1
        assert sentence in done.stderr
        assert server.bodies == []


class TestModels:
    def test_the_only_model_needs_no_name(self, chat: Chat, server: ChatServer) -> None:
        """Models that cannot chat do not count."""
        server.models = {"vectors": ["embedding"], "tiny": ["chat"]}
        assert chat.piped(stdin=b"Hi").stdout == b"Fine.\n"
        assert server.bodies[0]["model"] == "tiny"

    def test_several_models_are_a_list_to_pick_from(self, chat: Chat, server: ChatServer) -> None:
        """In a terminal the user picks one; a script gets an error with the names."""
        server.models = {"one": ["chat"], "two": ["chat"], "vectors": ["embedding"]}
        done = chat.piped(stdin=b"Hi")
        assert done.returncode == 1
        assert b"one, two." in done.stderr
        with chat.terminal() as shell:
            shell.wait_for("Chat with which model?")
            shell.wait_for("Number or name [1]:")
            shell.send(f"9{ENTER}")
            shell.wait_for("type the number of a row")
            shell.send(f"2{ENTER}")
            shell.wait_for("Chat with two.")
            shell.wait_for(">>>")
            assert "vectors" not in leave(shell)

    def test_a_prompt_without_a_model_shows_the_command(self, chat: Chat) -> None:
        """The error has the syntax."""
        done = chat.piped("What is this?")
        assert done.returncode == 1
        assert b" run MODEL 'What is this?'\"." in done.stderr
        assert b'The name of the model comes first: "' in done.stderr

    def test_an_image_needs_a_model_that_sees(self, chat: Chat, server: ChatServer, tmp_path: Path) -> None:
        """The model is checked before anything is sent; a vision model gets the image."""
        server.models = {"tiny": ["chat"], "eyes": ["chat", "vision"]}
        (tmp_path / "dot.png").write_bytes(PNG)
        image = ("--image", str(tmp_path / "dot.png"))
        refused = chat.piped("tiny", "What?", *image)
        assert refused.returncode == 1
        assert b"Model 'tiny' does not accept images" in refused.stderr
        assert chat.piped("eyes", "What?", *image).returncode == 0
        (body,) = server.bodies
        assert [part["type"] for part in body["messages"][0]["content"]] == ["image_url", "text"]


class TestTerminal:
    def test_a_pasted_block_is_one_prompt(self, chat: Chat, server: ChatServer) -> None:
        """40 lines with a word and empty lines among them are one request, after Enter."""
        pasted = "\n".join(["/bye", "", *(f"line {number}" for number in range(38))])
        with chat.terminal("tiny", rows=60) as shell:
            shell.wait_for(">>>")
            shell.paste(pasted)
            shell.wait_for("line 37")
            assert server.bodies == []
            ask(shell, "")
            leave(shell)
        assert server.prompts() == [pasted]

    def test_a_prompt_may_have_several_lines(self, chat: Chat, server: ChatServer) -> None:
        """Three quotes, Ctrl-J and Alt-Enter."""
        with chat.terminal("tiny") as shell:
            shell.wait_for(">>>")
            shell.send(f'"""one{ENTER}/bye{ENTER}')
            ask(shell, 'two"""')
            ask(shell, f"three{CTRL_J}four", count=2)
            ask(shell, f"five\x1b{ENTER}six", count=3)
            leave(shell)
        assert server.prompts() == ["one\n/bye\ntwo", "three\nfour", "five\nsix"]

    @pytest.mark.parametrize("columns", [80, 100, 140])
    def test_answers_are_wrapped_between_words(self, columns: int, chat: Chat, server: ChatServer) -> None:
        """No word is broken at the edge, and the text is whole."""
        server.replies = [Reply(text=WORDS * 4)]
        with chat.terminal("tiny", "Hi", columns=columns) as shell:
            assert shell.wait_for_exit() == 0
            lines = shell.text.splitlines()
        assert " ".join(lines).split() == (WORDS * 4).split()
        assert len(lines) == {80: 5, 100: 4, 140: 3}[columns]

    def test_markdown_is_formatted(self, chat: Chat, server: ChatServer) -> None:
        """Markers become styles; the option, NO_COLOR and a dumb terminal show the text as it is."""
        text = "# Title\n\n- **bold** and `code`\n\n```py\nx = 1\n```\n"
        server.replies = [Reply(text=text)] * 4
        with chat.terminal("tiny", "Hi") as shell:
            assert shell.wait_for_exit() == 0
            assert shell.text.splitlines() == ["Title", "", "• bold and code", "", "```py", "x = 1", "```"]
            assert b"\x1b[1m" in shell.raw
        for variables, arguments in (
            ({}, ("--no-markdown",)),
            ({"NO_COLOR": "1"}, ()),
            ({"TERM": "dumb"}, ()),
        ):
            chat.variables = variables
            command = ["env", *(f"{name}={value}" for name, value in variables.items())]
            with terminal([*command, *chat.command("tiny", "Hi", *arguments)], env=chat.environment) as shell:
                assert shell.wait_for_exit() == 0
                assert shell.text == text.strip()

    def test_reasoning_is_dim_and_apart(self, chat: Chat, server: ChatServer) -> None:
        """An empty line separates it from the answer; control characters are escaped in both."""
        server.replies = [Reply(text="A\x07 *b*", reasoning="Hm \x1b[2J.")]
        with chat.terminal("tiny", "Hi") as shell:
            assert shell.wait_for_exit() == 0
            assert shell.text.splitlines() == ["Hm \\x1b[2J.", "", "A\\x07 b"]
            assert b"\x1b[2mHm" in shell.raw

    def test_an_answer_stops_at_the_limit_and_goes_on(self, chat: Chat, server: ChatServer) -> None:
        """``/more`` continues the same message; the conversation then has one answer."""
        server.replies = [LENGTH, Reply(text=", three.")]
        with chat.terminal("tiny") as shell:
            shell.wait_for(">>>")
            ask(shell, "Count", "(stopped at 2,048 tokens; /more goes on)")
            ask(shell, "/more", ", three.")
            ask(shell, "/more", "The last answer is complete.")
            ask(shell, "Thanks")
            leave(shell)
        first, more, last = server.bodies
        assert first["max_tokens"] == 2048
        assert more["messages"][-1] == {"role": "assistant", "content": "One, two"}
        assert [message["content"] for message in last["messages"]] == ["Count", "One, two, three.", "Thanks"]

    def test_an_engine_that_cannot_continue_is_asked_to(self, chat: Chat, server: ChatServer) -> None:
        """A refused continuation becomes a request, which is not part of the conversation."""
        server.replies = [
            LENGTH,
            Reply(error="Assistant response prefill is not supported."),
            Reply(text=", 3."),
        ]
        with chat.terminal("tiny") as shell:
            shell.wait_for(">>>")
            ask(shell, "Count", "(stopped at")
            ask(shell, "/more", ", 3.")
            ask(shell, "Thanks")
            leave(shell)
        assert server.bodies[2]["messages"][-1]["content"].startswith("Continue your last answer")
        assert [message["content"] for message in server.bodies[3]["messages"]] == [
            "Count",
            "One, two, 3.",
            "Thanks",
        ]

    def test_ctrl_c_ends_an_answer_and_keeps_it(self, chat: Chat, server: ChatServer) -> None:
        """The prompt and the partial answer stay, and can be continued."""
        server.replies = [Reply(text="Once upon a time ", hangs=True), Reply(text="there was.")]
        with chat.terminal("tiny") as shell:
            shell.wait_for(">>>")
            shell.send(f"Tell{ENTER}")
            shell.wait_for("Once upon a")
            shell.send(CTRL_C)
            shell.wait_for("(interrupted; /more goes on)")
            shell.wait_for(">>>", count=2)
            ask(shell, "/more", "there was.")
            assert "^C" not in leave(shell)
        kept = server.bodies[1]["messages"][-1]
        assert kept["role"] == "assistant"
        assert kept["content"] in {"Once upon a ", "Once upon a time "}  # the last word comes on its own

    def test_ctrl_c_before_an_answer_drops_the_prompt(self, chat: Chat, server: ChatServer) -> None:
        """The prompt of a cancelled wait is not part of the conversation; ``/retry`` sends it again."""
        server.replies = [Reply(text="", hangs=True)]
        with chat.terminal("tiny") as shell:
            shell.wait_for(">>>")
            shell.send(f"lost{ENTER}")
            while not server.bodies:
                shell.settle()
            shell.send(CTRL_C)
            shell.wait_for("(cancelled; /retry sends the prompt again)")
            shell.wait_for(">>>", count=2)
            ask(shell, "Hi")
            leave(shell)
        assert [message["content"] for message in server.bodies[1]["messages"]] == ["Hi"]

    def test_ctrl_c_at_the_prompt_clears_it_and_then_leaves(self, chat: Chat, server: ChatServer) -> None:
        """With text it clears the line; on an empty one the first says so, and the second leaves with exit code 0."""
        with chat.terminal("tiny") as shell:
            shell.wait_for(">>>")
            shell.send("never sent")
            shell.wait_for("never sent")
            shell.send(CTRL_C)
            shell.send(CTRL_C)
            shell.wait_for("(Ctrl-C again or /bye leaves)")
            shell.wait_for(">>>", count=2)
            ask(shell, "Hi")
            shell.send(CTRL_C)
            shell.wait_for("(Ctrl-C again or /bye leaves)", count=2)
            shell.send(CTRL_C)
            assert shell.wait_for_exit() == 0
        assert server.prompts() == ["Hi"]

    def test_what_is_typed_before_the_first_prompt_is_sent(self, chat: Chat, server: ChatServer) -> None:
        """Enter, too: while the model is looked up, the terminal would make it a new line of the prompt."""
        server.holds_lookups = True
        with chat.terminal("tiny") as shell:
            assert server.is_asked.wait(60)
            shell.send(f"Hi{ENTER}")
            server.go_on.set()
            shell.wait_for("Fine.")
            shell.wait_for(">>>", count=2)
            leave(shell)
        assert server.prompts() == ["Hi"]

    def test_words_change_the_chat(self, chat: Chat, server: ChatServer) -> None:
        """Settings, the model, images, and a wrong word; none of them is sent."""
        server.models = {"tiny": ["chat"], "other": ["chat"]}
        with chat.terminal("tiny", rows=50) as shell:
            shell.wait_for(">>>")
            ask(shell, "/?", "/image FILE")
            ask(shell, "/set temperature 0.2", "temperature: 0.2")
            ask(shell, "/set system Be brief.", "system: Be brief.")
            ask(shell, "/set top_p 3", "'top_p' must be a number from 0 to 1.")
            ask(shell, "/cleer", "did you mean /clear")
            ask(shell, "/image /nowhere.png", "cannot be read as an image")
            ask(shell, "/model", "* tiny")
            ask(shell, "/model nothing", "Model 'nothing' is not in the catalogue.")
            ask(shell, "/model other", "The model is other.")
            ask(shell, "/image x.png", "cannot be read as an image")
            ask(shell, "Hi")
            ask(shell, "/show", "41 of the context")
            ask(shell, "/clear", "The conversation is cleared.")
            ask(shell, "//slash", count=2)
            leave(shell)
        first, second = server.bodies
        assert (first["model"], first["temperature"]) == ("other", 0.2)
        assert first["messages"] == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
        ]
        assert [message["content"] for message in second["messages"]] == ["Be brief.", "/slash"]

    def test_a_conversation_is_saved_and_loaded(self, chat: Chat, server: ChatServer) -> None:
        """Another chat goes on with it; a name in use is not overwritten."""
        with chat.terminal("tiny") as shell:
            shell.wait_for(">>>")
            ask(shell, "/save x", "nothing to save")
            ask(shell, "Hi")
            ask(shell, "/save trip", "Saved as 'trip'")
            leave(shell)
        with chat.terminal("tiny") as shell:
            shell.wait_for(">>>")
            ask(shell, "/load", "just now")
            ask(shell, "Bye")
            ask(shell, "/save trip", "'/save -f trip' replaces it")
            ask(shell, "/load trip", "Loaded 'trip': 2 messages.")
            ask(shell, "/retry", count=2)
            leave(shell)
        assert [message["content"] for message in server.bodies[-1]["messages"]] == ["Hi"]

    def test_prompts_are_kept_for_later_chats(self, chat: Chat, server: ChatServer) -> None:
        """The arrow brings the last prompt back, with its lines."""
        with chat.terminal("tiny") as shell:
            shell.wait_for(">>>")
            ask(shell, f"first{CTRL_J}line")
            shell.send(CTRL_D)
            assert shell.wait_for_exit() == 0
        with chat.terminal("tiny") as shell:
            shell.wait_for(">>>")
            shell.send("\x1b[A")
            shell.wait_for("line")
            ask(shell, "")
            leave(shell)
        assert server.prompts() == ["first\nline", "first\nline"]

    def test_tab_completes_words_and_models(self, chat: Chat, server: ChatServer) -> None:
        """The names come from the server."""
        server.models = {"tiny": ["chat"], "other": ["chat"]}
        with chat.terminal("tiny") as shell:
            shell.wait_for(">>>")
            shell.send(f"/mod{TAB}")
            shell.wait_for("/model")
            shell.send(f" oth{TAB}")
            shell.wait_for("/model other")
            shell.send(ENTER)
            shell.wait_for("The model is other.")
            shell.wait_for(">>>", count=2)
            leave(shell)

    def test_what_is_typed_during_an_answer_is_the_next_prompt(self, chat: Chat, server: ChatServer) -> None:
        """It does not appear in the answer, and Enter sends it when the answer is complete."""
        server.replies = [Reply(text="One moment. ", hangs=True)]
        with chat.terminal("tiny") as shell:
            shell.wait_for(">>>")
            shell.send(f"Hi{ENTER}")
            shell.wait_for("One moment.")
            shell.send(f"typed ahead{ENTER}")
            assert "typed" not in shell.settle()
            server.go_on.set()
            shell.wait_for("Fine.")
            assert ">>> typed ahead" in shell.text
            shell.wait_for(">>>", count=3)
            leave(shell)
        assert server.prompts() == ["Hi", "typed ahead"]

    def test_a_job_in_the_background_answers(self, chat: Chat) -> None:
        """A job that changed the terminal would be stopped by the kernel."""
        job = f"{shlex.join(chat.command('tiny', 'Hi'))} & wait; echo over"
        with terminal(["bash", "-c", f"set -m; {job}"], env=chat.environment, columns=200) as shell:
            shell.wait_for("over")
            assert "Fine." in shell.text

    def test_a_dumb_terminal_works(self, chat: Chat, server: ChatServer) -> None:
        """Prompts are read line by line, without control sequences."""
        with terminal(["env", "TERM=dumb", *chat.command("tiny")], env=chat.environment) as shell:
            shell.wait_for(">>>")
            shell.send('"""one\n')
            shell.wait_for("...")
            shell.send('two"""\n')
            shell.wait_for("Fine.")
            shell.wait_for(">>>", count=2)
            shell.send(CTRL_C)
            shell.wait_for("(Ctrl-C again or /bye leaves)")
            shell.send("/bye\n")
            assert shell.wait_for_exit() == 0
            assert b"\x1b[" not in shell.raw
        assert server.prompts() == ["one\ntwo"]

    def test_an_error_does_not_end_the_chat(self, chat: Chat, server: ChatServer) -> None:
        """The prompt is dropped, and the next one is sent without it."""
        server.replies = [Reply(error="The model cannot do this.")]
        with chat.terminal("tiny") as shell:
            shell.wait_for(">>>")
            ask(shell, "Draw", "Error: The model cannot do this.")
            ask(shell, "Hi")
            leave(shell)
        assert [message["content"] for message in server.bodies[1]["messages"]] == ["Hi"]
