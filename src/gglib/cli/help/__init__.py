"""Help pages, suggestions for unknown commands, and commands in messages as the user has to type them."""
