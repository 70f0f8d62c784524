"""What commands need of the terminal: streams, colours, status lines, progress bars, the user's editor."""
