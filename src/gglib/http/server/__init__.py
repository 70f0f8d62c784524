"""The clients' side: connections on a socket. It knows no models, targets or routes; the readers beside it say what bytes mean."""
