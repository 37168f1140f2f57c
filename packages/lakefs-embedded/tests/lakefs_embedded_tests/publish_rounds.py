"""Several processes, each with a server of its own on one root, publish at once; then everything is counted.

Run as `python -m … ROOT PROCESSES PUBLISHES`. Every process writes a file of its own and one that all of them
write: the loser of a conflict tries again from the new head.
"""

from __future__ import annotations

import json
import os
import sys
from itertools import pairwise
from pathlib import Path

from lakefs_embedded import EmbeddedLakeFS
from lakefs_embedded_tests.kill_rounds import REPO, listed, must
from lakefs_embedded_tests.plain_http import Http


def publish(server: Http, name: str) -> None:
    """One write of two files by branch, commit and merge, repeated from the new head on a conflict."""
    for attempt in range(1000):
        branch = f"{name}-try{attempt}"
        must(server.send("POST", f"{REPO}/branches", {"name": branch, "source": "main"}), 201)
        for path in (f"own/{name}", f"done/{name}", "contended"):
            must(server.send("POST", f"{REPO}/branches/{branch}/objects?path={path}", name.encode()), 201)
        must(server.send("POST", f"{REPO}/branches/{branch}/commits", {"message": name}), 201)
        merged = server.send("POST", f"{REPO}/refs/{branch}/merge/main", {"message": name})
        must(server.send("DELETE", f"{REPO}/branches/{branch}"), 204)
        if merged.status == 200:
            return
        must(merged, 409)
    raise AssertionError(f"{name} never got through")


def work(root: Path, *, number: int, publishes: int) -> None:
    with EmbeddedLakeFS.start(root) as running:
        for count in range(publishes):
            publish(Http(running), f"p{number}-{count}")


def main(root: Path, *, processes: int, publishes: int) -> dict[str, int]:
    with EmbeddedLakeFS.start(root) as running:
        must(
            Http(running).send("POST", "/repositories", {"name": "flights", "storage_namespace": "local://f"}),
            201,
        )
    children = []
    for number in range(processes):
        child = os.fork()
        if child == 0:
            work(root, number=number, publishes=publishes)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * processes
    with EmbeddedLakeFS.start(root) as running:
        return count(Http(running))


def count(server: Http) -> dict[str, int]:
    log = must(server.send("GET", f"{REPO}/refs/main/commits?first_parent=true&amount=1000"), 200).json["results"]
    for commit, parent in pairwise(log):
        assert commit["parents"][0] == parent["id"], "the log is not linear"
        if commit["message"].startswith("p"):
            read = server.send("GET", f"{REPO}/refs/{commit['id']}/objects?path=contended")
            assert must(read, 200).content.decode() == commit["message"], "a version changed after its commit"
    paths = listed(server)
    return {"merged": len(log) - 1, "files": len([path for path in paths if path != "contended"])}


if __name__ == "__main__":
    report = main(Path(sys.argv[1]), processes=int(sys.argv[2]), publishes=int(sys.argv[3]))
    sys.stdout.write(json.dumps(report) + "\n")
