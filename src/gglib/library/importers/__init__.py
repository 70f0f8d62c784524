"""Where other programs keep their models, and what of it gglib could use. Nothing here writes, or moves a file."""
