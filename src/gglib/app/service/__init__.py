"""gglib as a service of the system: units of systemd, jobs of launchd, and the commands that control them."""
