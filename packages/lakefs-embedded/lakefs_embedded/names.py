"""What repositories, branches, tags, storage namespaces and object paths may be called.

The rules are those lakeFS documents: branches match `^\\w[-\\w]*$`, repositories `^[a-z0-9][a-z0-9-]{2,62}$`,
tags follow git's rules for ref names. Object paths are opaque keys that never become file names here; what
could still mislead somebody who writes them to a disk (`..` segments, NUL) is refused.
"""

from __future__ import annotations

import re

from lakefs_embedded.api_error import ApiError, bad_request

MAX_PATH_BYTES = 4096
MAX_NAME_LENGTH = 255

_REPOSITORY = re.compile(r"[a-z0-9][a-z0-9-]{2,62}", re.ASCII)
_BRANCH = re.compile(r"\w[-\w]*", re.ASCII)
_NAMESPACE = re.compile(r"(s3|gs|https?|mem|local|transient)://[^\x00]*")
_TAG_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")


def check_repository(name: str) -> None:
    if not _REPOSITORY.fullmatch(name):
        raise _invalid("repository", name, "3 to 63 lower case letters, digits and hyphens, no hyphen first")


def check_branch(name: str) -> None:
    if not _BRANCH.fullmatch(name) or len(name) > MAX_NAME_LENGTH:
        raise _invalid("branch", name, "letters, digits, underscores and hyphens, no hyphen first")


def check_tag(name: str) -> None:
    parts = name.split("/")
    lawful = (
        bool(name)
        and len(name) <= MAX_NAME_LENGTH
        and name != "@"
        and not name.endswith(".")
        and not _TAG_FORBIDDEN.search(name)
        and all(part and not part.startswith(".") and not part.endswith(".lock") for part in parts)
    )
    if not lawful or not _encodable(name):
        raise _invalid("tag", name, "a name git would accept for a ref")


def check_namespace(namespace: str) -> None:
    if not _NAMESPACE.fullmatch(namespace) or not _encodable(namespace):
        raise _invalid("storage_namespace", namespace, "a URI such as local://name")


def check_path(path: str) -> None:
    """Accepts an object path, or raises 400 saying which rule it breaks."""
    if not path:
        raise bad_request("argument path: required: validation error")
    if not _encodable(path) or "\x00" in path:
        raise bad_request("argument path: must be valid UTF-8 without NUL: validation error")
    if len(path.encode()) > MAX_PATH_BYTES:
        raise bad_request(f"argument path: longer than {MAX_PATH_BYTES} bytes: validation error")
    if ".." in re.split(r"[/\\]", path):
        raise bad_request("argument path: '..' segments are not allowed: validation error")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _invalid(what: str, value: str, rule: str) -> ApiError:
    shown = value.encode("ascii", "backslashreplace").decode()[:100]
    return bad_request(f"argument {what}: invalid value {shown!r}: validation error (expected {rule})")
