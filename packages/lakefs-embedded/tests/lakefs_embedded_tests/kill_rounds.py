"""Kills a server at random moments while it is written to, and checks after every kill what is left.

Run as `python -m … ROOT ROUNDS SEED`. A round starts a server in a process of its own, checks that everything
ever acknowledged is there and whole, then writes, commits and merges until the server is killed.
Prints one line of JSON; any loss raises.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

from lakefs_embedded import EmbeddedLakeFS
from lakefs_embedded_tests.plain_http import Answer, Http

REPO = "/repositories/flights"
FILES = 3
LONGEST_LIFE_SECONDS = 0.06


@dataclass
class Acknowledged:
    """What the server said was done."""

    merges: list[str] = field(default_factory=list)
    staged: dict[str, str] = field(default_factory=dict)
    branch: str = ""
    surplus: int = 0


def main(root: Path, *, rounds: int, seed: int) -> dict[str, int]:
    chance = random.Random(seed)
    known = Acknowledged()
    for number in range(rounds):
        server, process = start(root)
        if number == 0:
            must(
                server.send("POST", "/repositories", {"name": "flights", "storage_namespace": "local://f"}),
                201,
            )
        verify(server, known)
        killer = kill_after(process, seconds=chance.uniform(0, LONGEST_LIFE_SECONDS))
        with suppress(OSError, HTTPException):
            write_until_killed(server, known, round_number=number)
        os.waitpid(killer, 0)
        os.waitpid(process, 0)
    server, process = start(root)
    verify(server, known)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return {"rounds": rounds, "merges": len(known.merges), "unacknowledged": known.surplus}


def start(root: Path) -> tuple[Http, int]:
    """A server in a forked process, which ends only by being killed."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        running = EmbeddedLakeFS.start(root)
        os.write(writing, f"{running.endpoint} {running.access_key_id} {running.secret_access_key}\n".encode())
        while True:
            signal.pause()
    os.close(writing)
    with os.fdopen(reading) as pipe:
        endpoint, key, secret = pipe.readline().split()
    return Http.to(endpoint, key=key, secret=secret), process


def kill_after(process: int, *, seconds: float) -> int:
    killer = os.fork()
    if killer == 0:
        time.sleep(seconds)
        os.kill(process, signal.SIGKILL)
        os._exit(0)
    return killer


def write_until_killed(server: Http, known: Acknowledged, *, round_number: int) -> None:
    for number in range(1_000_000):
        branch = f"w{round_number}-{number}"
        must(server.send("POST", f"{REPO}/branches", {"name": branch, "source": "main"}), 201)
        known.branch, known.staged = branch, {}
        for file in range(FILES):
            path, content = f"{branch}/{file}", f"{branch}/{file}" * 500
            answer = server.send("POST", f"{REPO}/branches/{branch}/objects?path={path}", content.encode())
            must(answer, 201)
            known.staged[path] = content
        must(server.send("POST", f"{REPO}/branches/{branch}/commits", {"message": branch}), 201)
        merged = server.send("POST", f"{REPO}/refs/{branch}/merge/main", {"message": branch})
        known.merges.append(must(merged, 200).json["reference"])
        must(server.send("DELETE", f"{REPO}/branches/{branch}"), 204)
        known.branch, known.staged = "", {}


def verify(server: Http, known: Acknowledged) -> None:
    """The log holds the acknowledged merges in order and at most one more; what they brought is whole."""
    log = must(server.send("GET", f"{REPO}/refs/main/commits?first_parent=true&amount=1000"), 200).json["results"]
    found = [commit["id"] for commit in reversed(log)][1:]
    assert found[: len(known.merges)] == known.merges, "an acknowledged merge is lost or out of order"
    surplus = found[len(known.merges) :]
    assert len(surplus) <= 1, "more was merged than was asked for"
    known.surplus += len(surplus)
    known.merges += surplus
    for commit in [commit for commit in log if commit["id"] in found[-2:]]:
        verify_files(server, ref=commit["id"], branch=commit["message"])
    total = FILES * len(known.merges)
    assert len(listed(server)) == total, "files are missing, doubled, or visible without a merge"
    if known.branch and server.send("GET", f"{REPO}/branches/{known.branch}").status == 200:
        for path, content in known.staged.items():
            read = server.send("GET", f"{REPO}/refs/{known.branch}/objects?path={path}")
            assert must(read, 200).content.decode() == content, "an acknowledged file is lost"
    known.branch, known.staged = "", {}


def verify_files(server: Http, *, ref: str, branch: str) -> None:
    for file in range(FILES):
        path = f"{branch}/{file}"
        read = server.send("GET", f"{REPO}/refs/{ref}/objects?path={path}")
        assert must(read, 200).content.decode() == path * 500, "a merged file is not whole"


def listed(server: Http) -> list[str]:
    paths: list[str] = []
    after, more = "", True
    while more:
        page = must(server.send("GET", f"{REPO}/refs/main/objects/ls?amount=1000&after={after}"), 200).json
        paths += [item["path"] for item in page["results"]]
        after, more = page["pagination"]["next_offset"], page["pagination"]["has_more"]
    return paths


def must(answer: Answer, status: int) -> Answer:
    assert answer.status == status, answer
    return answer


if __name__ == "__main__":
    report = main(Path(sys.argv[1]), rounds=int(sys.argv[2]), seed=int(sys.argv[3]))
    sys.stdout.write(json.dumps(report) + "\n")
