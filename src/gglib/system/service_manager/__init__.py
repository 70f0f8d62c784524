"""The protocols of service managers: state notifications and passed sockets (sd_notify(3), sd_listen_fds(3))."""
