"""What a runtime says of itself: its state, its events, and the progress of a load."""
