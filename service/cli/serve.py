"""``prefixel serve``: the service, in one process or several."""

from __future__ import annotations

import argparse
import socket

from service.errors import ConfigurationError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "serve",
        help="serve over HTTP",
        description="Serve over HTTP. Everything else is set by PREFIXEL_* in the environment;"
        " docs/reference.md lists them.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port, 0: a free one (%(default)s)")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes; more than one need Redis or SQLite"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop. Raises ConfigurationError."""
    from service.cli.greeting import greeting
    from service.serving.supervisor import supervise
    from service.settings import read_settings

    settings = read_settings()
    if arguments.workers < 1:
        raise ConfigurationError(f"--workers is 1 or more, not {arguments.workers}")
    if arguments.workers > 1 and settings.redis_url is None and settings.store_path is None:
        raise ConfigurationError(
            f"--workers {arguments.workers} needs a cache that processes can share: set"
            " PREFIXEL_REDIS_URL or PREFIXEL_STORE_PATH (the in-process cache belongs to one"
            " process, so an upload to one would be unknown to the others)"
        )
    listener = _listen(arguments)
    host, port = listener.getsockname()[:2]
    return supervise(settings, listener, arguments.workers, greeting(host, port))


def _listen(arguments: argparse.Namespace) -> socket.socket:
    from service.serving.server import listen

    try:
        return listen(arguments.host, arguments.port)
    except (OSError, OverflowError) as wrong:
        raise ConfigurationError(
            f"cannot listen on {arguments.host} port {arguments.port}: {wrong}"
        ) from wrong
