"""`refclock page`: the running daemon's state as a web page, with metrics."""

from __future__ import annotations

import argparse
import threading
from functools import partial
from typing import Final

from refclock.cli import complain
from refclock.cli.run import EX_UNAVAILABLE
from refclock.cli.status import socket_option
from refclock.cli.values import address, port
from refclock.daemon.control import ask
from refclock.page.feed import Feed
from refclock.page.server import PageServer

HELP: Final = "show the running daemon's state as a web page, with metrics"
_PORT: Final = 8123


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    socket_option(parser)
    parser.add_argument(
        "--listen",
        type=address,
        default="127.0.0.1",
        metavar="ADDRESS",
        help="IPv4 address to listen on (default: %(default)s, this machine alone)",
    )
    parser.add_argument(
        "--port",
        type=port,
        default=_PORT,
        metavar="N",
        help="TCP port (default: %(default)s)",
    )
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="HOST",
        help="a name browsers may ask for beside localhost; repeatable",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    feed = Feed(partial(ask, args.socket, "status"))
    try:
        server = PageServer((args.listen, args.port), feed, args.name)
    except OSError as error:
        complain("page", f"{args.listen} port {args.port}: {error.strerror}")
        return EX_UNAVAILABLE
    threading.Thread(target=feed.run, name="feed", daemon=True).start()
    print(f"http://{args.listen}:{server.server_address[1]}/", flush=True)
    try:
        server.serve_forever()
    finally:
        server.stopping.set()
        feed.stop()
        server.server_close()
    return 0
