"""The clients' side: connections on a socket. It knows no models, targets or routes."""
