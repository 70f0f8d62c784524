"""Commands that search the hub and download models."""
