"""What runs now: shown, stopped, and explained."""
