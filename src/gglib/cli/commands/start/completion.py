"""``gglib completion``: prints the completion script of a shell."""

import click

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the script that completes gglib's commands with TAB.

    Completes commands, options, models, aliases, profiles, clients and quantizations. Install it once:

    \b
    bash  echo 'eval "$(gglib completion bash)"' >> ~/.bashrc
    zsh   echo 'eval "$(gglib completion zsh)"' >> ~/.zshrc
    fish  gglib completion fish > ~/.config/fish/completions/gglib.fish
    """  # noqa: D301 - click's mark of lines that are not wrapped
    from gglib.cli.completion.scripts import SCRIPTS

    click.echo(SCRIPTS[shell], nl=False)
