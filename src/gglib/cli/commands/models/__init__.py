"""Commands that add, show, change, check and remove local models."""
