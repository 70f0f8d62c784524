"""What the page costs: the time to its first paint, its size, processor time and memory."""
