"""Who may ask a service for what: each route's scope, and what a refused key is answered over HTTP.

Belongs here: statuses and routes. What a key is worth is in ``stores/key_ring.py``.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import logging
import math

from starlette.types import Scope as Request

from mlops_assets.contract.errors import KeyRefused, ScopeMissing, ServingError, TooFast
from mlops_assets.serving.gate import MONITOR, header
from mlops_assets.serving.wire import Refused
from mlops_assets.stores.key_ring import KeyRing
from mlops_assets.stores.keys import Scope

log = logging.getLogger(__name__)

SCOPES = {
    "/predict": Scope.PREDICT,
    "/explain": Scope.PREDICT,
    "/model": Scope.PREDICT,
    "/describe": Scope.PREDICT,
    "/outcomes": Scope.OUTCOMES,
    "/metrics": Scope.ADMIN,
    MONITOR: Scope.ADMIN,
}
"""What each route needs; the first page and ``/docs.json`` are for everybody."""


class Access:
    """Raises ``Refused`` for who may not pass, by the keys of ``ring``."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def __call__(self, request: Request) -> None:
        """Looks at one request, and leaves the id of its key in it as ``caller``."""
        scope = SCOPES.get(request["path"])
        if scope is None:
            return
        try:
            sent = _sent(request) or None
            request["caller"] = self._ring.verify(sent, scope, from_here=_is_from_here(request)).id
        except TooFast as error:
            raise Refused(429, str(error), retry_after=math.ceil(error.retry_after)) from error
        except KeyRefused as error:
            raise Refused(403 if isinstance(error, ScopeMissing) else 401, str(error)) from error
        except ServingError as error:
            log.error("keys cannot be read", extra={"fields": {"reason": str(error)}})
            raise Refused(503, "Nobody can be let in: the keys cannot be read.", retry_after=1) from error


def _sent(request: Request) -> str:
    """The header with the key. A browser that opens the page of monitoring can only ask its user for a name and a
    password: the password is the key then.
    """
    sent = header(request, b"authorization")
    kind, _, coded = sent.partition(" ")
    if request["path"] != MONITOR or kind.lower() != "basic":
        return sent
    try:
        return "Bearer " + base64.b64decode(coded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return sent


def _is_from_here(request: Request) -> bool:
    """Whether the caller is on this machine: over loopback, or a socket that has no address."""
    client = request.get("client")
    return client is None or ipaddress.ip_address(client[0].partition("%")[0]).is_loopback
