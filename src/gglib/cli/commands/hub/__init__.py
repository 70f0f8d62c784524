"""Find models on the hub, and fetch them."""
