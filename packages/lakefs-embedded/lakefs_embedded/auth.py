"""The server's one access key: made at first use, readable by its owner only, asked for by HTTP Basic."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "credentials.json"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    access_key_id: str
    secret_access_key: str

    def admits(self, authorization: str) -> bool:
        """Whether an Authorization header carries this key."""
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(given, f"{self.access_key_id}:{self.secret_access_key}".encode())


def load_or_create(root: Path) -> Credentials:
    """The key of the store at `root`. Of processes that make one at once, one wins and all read that."""
    path = root / FILE_NAME
    if not path.exists():
        fresh = Credentials(
            access_key_id="AKIA" + secrets.token_hex(8).upper(), secret_access_key=secrets.token_urlsafe(30)
        )
        _create(path, json.dumps(asdict(fresh), indent=2))
    return Credentials(**json.loads(path.read_text()))


def _create(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(unfinished, path)
    finally:
        unfinished.unlink()
