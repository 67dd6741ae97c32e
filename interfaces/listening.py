"""A port to listen on, or one sentence that says why it cannot be had."""

import socket

from turngraph.state.errors import TurnConfigurationError

__all__ = ["bound_socket"]


def bound_socket(host: str, port: int) -> socket.socket:
    """Returns a socket that has the port, and does not listen yet. Port 0 is any free one.

    Raises TurnConfigurationError if the port is taken, or the host is none of this machine.
    """
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as exc:
        sock.close()
        raise TurnConfigurationError(
            f"Port {port} of {host} cannot be used: {exc.strerror}. Choose another with --port."
        ) from exc
    return sock
