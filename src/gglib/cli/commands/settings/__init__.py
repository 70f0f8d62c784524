"""Commands that show and change the settings."""
