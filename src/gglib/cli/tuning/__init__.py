"""What ``gglib tune`` shows: progress, a table, bars, a plot, JSON."""
