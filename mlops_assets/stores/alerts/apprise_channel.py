"""Telling people by any of the services that apprise knows: mail, chats, pagers, plain HTTP. An optional part.

https://github.com/caronc/apprise/wiki says what their URLs look like.
"""

from __future__ import annotations

import apprise

from mlops_assets.contract.alerts import News, Urgency
from mlops_assets.contract.errors import AlertError, SettingError
from mlops_assets.stores.alerts.channels import Message, shown

_KINDS = {
    News.OPENED: apprise.NotifyType.FAILURE,
    News.UPDATED: apprise.NotifyType.WARNING,
    News.RESOLVED: apprise.NotifyType.SUCCESS,
}


class AppriseChannel:
    """A service that apprise sends to."""

    def __init__(self, url: str) -> None:
        self._sender = apprise.Apprise(asset=apprise.AppriseAsset(app_id="mlops", app_desc="mlops alerts"))
        if not self._sender.add(url):
            raise SettingError(f"apprise knows no service for {shown(url)}, or the URL lacks something it needs.")

    def send(self, message: Message) -> None:
        """As ``Channel.send``. Apprise gives up after four seconds without an answer."""
        kind = _KINDS[message.news] if message.urgency is Urgency.PAGE else apprise.NotifyType.INFO
        if not self._sender.notify(
            title=message.title, body=message.body, notify_type=kind, body_format=apprise.NotifyFormat.TEXT
        ):
            raise AlertError("the service did not accept it, or did not answer")
