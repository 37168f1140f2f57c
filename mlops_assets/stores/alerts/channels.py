"""Where alerts are told: one URL for each channel in ``MLOPS_ALERT_URLS``, of any service that apprise knows.

Another distribution may bring a channel, by an entry point whose name is the scheme of its URLs:

    [project.entry-points."mlops_assets.alert_channels"]
    pager = "our_pager:Pager"

The value is a ``MakesChannel``. URLs hold passwords and tokens in any part of them: they are never shown.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mlops_assets.contract.alerts import Event, News, Urgency, lines_of
from mlops_assets.contract.errors import SettingError
from mlops_assets.stores.backends import ALERT_CHANNELS


@dataclass(frozen=True, kw_only=True)
class Message:
    """What is told of one event. ``id`` names alert and event: a receiver that gets it again can tell."""

    id: str
    title: str
    body: str
    news: News
    urgency: Urgency


class Channel(Protocol):
    """Somewhere to tell people."""

    def send(self, message: Message) -> None:
        """Returns when it was accepted; an exception is an attempt that failed, and is made again later."""


class MakesChannel(Protocol):
    """What an entry point of the group ``mlops_assets.alert_channels`` is."""

    def __call__(self, url: str) -> Channel:
        """The channel of a URL, without connecting to it; SettingError for a URL that cannot be used."""


def alert_channels(environ: Mapping[str, str] | None = None) -> dict[str, Channel]:
    """The channels of ``MLOPS_ALERT_URLS`` by a name that tells no secret. SettingError says which URL is wrong."""
    env = os.environ if environ is None else environ
    channels: dict[str, Channel] = {}
    for number, url in enumerate(env.get(ALERT_CHANNELS.setting, "").split(), start=1):
        try:
            make: MakesChannel = ALERT_CHANNELS.load(url)
            channels[shown(url)] = make(url)
        except SettingError as error:
            raise SettingError(f"URL {number} of {ALERT_CHANNELS.setting} cannot be used: {error}") from error
    return channels


def shown(url: str) -> str:
    """``slack://… (3f2a9c41)``: the scheme, and a digest that tells two channels apart."""
    return f"{url.partition('://')[0]}://… ({hashlib.sha256(url.encode()).hexdigest()[:8]})"


def message_of(event: Event) -> Message:
    """What people are told of an event."""
    alert, finding = event.alert, event.alert.finding
    name = f"{alert.id}-{alert.number}"
    closing = "" if event.kind is News.RESOLVED else f"`mlops alerts ack {alert.id}` says that you are at it.\n"
    return Message(
        id=name,
        title=f"[{finding.urgency}] {finding.use_case}: {finding.cause} {event.kind}",
        body="\n".join(lines_of(alert)) + f"\n\n{closing}Alert {alert.id}, event {alert.number} ({name})",
        news=event.kind,
        urgency=finding.urgency,
    )
