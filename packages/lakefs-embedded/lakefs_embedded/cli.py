"""The command `lakefs-embedded`: its words, options and answers. What it does is in the modules beside it."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lakefs_embedded.gc import collect_garbage
from lakefs_embedded.run import run_standalone

DEFAULT_ROOT = Path("lakefs-data")
DEFAULT_PORT = 8000
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def main(words: Sequence[str] | None = None) -> None:
    """Does what the command line says; `words` stand for it. Ends with 2 on words it does not know."""
    options = _parser().parse_args(words)
    try:
        options.run(options)
    except OSError as error:
        sys.exit(f"lakefs-embedded: {error}")


def age(text: str) -> timedelta:
    """`7d`, `12h` or `30m` as a time span."""
    written = re.fullmatch(r"(\d+)([dhm])", text)
    if written is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no age: such as 7d, 12h or 30m.")
    return timedelta(**{_UNITS[written[2]]: int(written[1])})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lakefs-embedded", description="A small lakeFS server for one machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="serve until stopped", description="Serves until stopped by Ctrl-C.")
    serve.add_argument("--host", default="127.0.0.1", help="loopback unless told otherwise")
    serve.add_argument("--port", type=_port, default=DEFAULT_PORT, help="%(default)s; 0 takes any free one")
    serve.set_defaults(run=_serve)
    gc = commands.add_parser(
        "gc",
        help="free what nothing reaches",
        description="Removes what no branch, tag or young commit reaches. Safe beside running servers.",
    )
    gc.add_argument("--keep", type=age, default="30d", help="keep what unreached commits younger than this hold")
    gc.add_argument("--dry-run", action="store_true", help="only say what would go")
    gc.set_defaults(run=_gc)
    for command in (serve, gc):
        command.add_argument("--root", type=Path, default=DEFAULT_ROOT, help="where the data lies: %(default)s")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{port} is no port: 0 to 65535.")
    return port


def _serve(options: argparse.Namespace) -> None:
    run_standalone(options.root, host=options.host, port=options.port)


def _gc(options: argparse.Namespace) -> None:
    if not (options.root / "lake.db").exists():
        sys.exit(f"lakefs-embedded: there is no data of a server in {options.root.absolute()}.")
    report = collect_garbage(options.root, keep=options.keep, now=datetime.now(UTC), dry_run=options.dry_run)
    sys.stdout.write(f"{report}\n")
