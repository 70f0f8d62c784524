"""What the subcommands of ``gglib engine`` do, and the offer of ``gglib up``."""
