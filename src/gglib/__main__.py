"""``python -m gglib``."""

from gglib.cli import main

main()
