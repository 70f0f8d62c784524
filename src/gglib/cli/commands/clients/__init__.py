"""Commands that connect other programs to gglib."""
