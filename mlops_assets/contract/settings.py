"""Every environment variable that the platform reads, as data: its name, what it is without being set, what it means.

A list for people and pages; reading a variable is where it is used. A test holds that none is read that is not here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One variable. ``default`` says in words or figures what holds when it is not set; empty: nothing."""

    name: str
    meaning: str
    default: str = ""


EVERYWHERE = (
    Setting(name="MLOPS_DATA_DIR", default="`data`", meaning="The folder of everything generated."),
    Setting(
        name="MLOPS_LAKE_BRANCH",
        default="`main`",
        meaning="The lakeFS branch to read and publish to; `mlops lake branch dev-alice` makes one. Online store, "
        "prediction log and Dagster's records of another branch than `main` are kept apart.",
    ),
    Setting(
        name="MLOPS_STRICT",
        meaning="`1`: a use case that cannot be loaded is an error instead of a finding, for CI.",
    ),
    Setting(
        name="MLOPS_ONLINE_STORE_URL",
        default="SQLite in the data folder",
        meaning="`redis://…`: the online store on a server, with `mlops-assets[redis]`. Another distribution's store "
        "has a scheme of its own.",
    ),
    Setting(
        name="MLOPS_PREDICTION_LOG_URL",
        default="SQLite in the data folder",
        meaning="`postgresql://…`: the prediction log on a server, for services on several machines, with "
        "`mlops-assets[postgres]`. Another distribution's log has a scheme of its own.",
    ),
    Setting(
        name="MLOPS_PREDICTION_LOG_DAYS",
        default="7",
        meaning="For how many days the log keeps what the lake holds already.",
    ),
    Setting(
        name="MLOPS_ALERT_URLS",
        meaning="Where alerts are told, a URL for each channel, separated by spaces: `mailto://…`, `slack://…`, "
        "`json://…` and whatever else apprise sends to, with `mlops-assets[alerts]`.",
    ),
    Setting(
        name="MLOPS_SERVICE_URL",
        default="`http://127.0.0.1:3001` if it answers",
        meaning="Services whose `/metrics` are asked for at each collection, separated by spaces.",
    ),
    Setting(name="MLOPS_SERVICE_KEY", meaning="A key of scope `admin` for them, if they have keys."),
    Setting(
        name="MLOPS_PAGES_URL",
        default="`http://127.0.0.1:3002`",
        meaning="Where browsers find the pages that the Dagster UI links to; `mlops dev` serves them there.",
    ),
    Setting(
        name="MLOPS_KEYS_FILE",
        default="`keys.json` in the data folder",
        meaning="The service's keys, such as a mounted secret.",
    ),
)
"""Read by commands, by Dagster and by the service alike."""

SERVICE = (
    Setting(name="MLOPS_SERVICE_WORKERS", meaning="Processes that answer side by side."),
    Setting(name="MLOPS_SERVICE_MAX_ROWS", meaning="Rows of a request; beyond: 413."),
    Setting(name="MLOPS_SERVICE_MAX_BYTES", meaning="Bytes of a body; beyond: 413 before it is read."),
    Setting(name="MLOPS_SERVICE_MAX_WAITING", meaning="Requests that wait, per worker; beyond: 503 at once."),
    Setting(name="MLOPS_SERVICE_MAX_WAITING_ROWS", meaning="Their rows."),
    Setting(
        name="MLOPS_SERVICE_BUDGET_MS",
        meaning="Milliseconds that a request may take; beyond: 503, and nothing is remembered.",
    ),
    Setting(
        name="MLOPS_SERVICE_BODY_TIMEOUT_MS",
        meaning="Milliseconds that sending a request may take; beyond: 408, or the end of the connection.",
    ),
    Setting(
        name="MLOPS_SERVICE_WATCH_MS", meaning="Milliseconds after which a worker looks again which version answers."
    ),
)
"""Read by a service process; their defaults are those of ``ServiceSettings``."""

LAKE = (
    Setting(
        name="LAKEFS_ENDPOINT",
        default="the embedded server",
        meaning="A real lakeFS. `LAKEFS_ACCESS_KEY_ID` and `LAKEFS_SECRET_ACCESS_KEY` are needed with it.",
    ),
    Setting(name="LAKEFS_ACCESS_KEY_ID", meaning="Its key."),
    Setting(name="LAKEFS_SECRET_ACCESS_KEY", meaning="Its secret."),
    Setting(name="LAKEFS_REPOSITORY", default="`mlops`", meaning="The repository there."),
    Setting(
        name="LAKEFS_STORAGE_NAMESPACE",
        meaning="Where to make that repository if it is missing, such as `s3://bucket/mlops`.",
    ),
    Setting(
        name="LAKECTL_SERVER_ENDPOINT_URL",
        meaning="The lakeFS client's own settings work too, and so does its file `~/.lakectl.yaml`.",
    ),
    Setting(name="LAKECTL_CREDENTIALS_ACCESS_KEY_ID", meaning="The key there."),
    Setting(name="LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", meaning="The secret there."),
    Setting(name="LAKECTL_CONFIG_FILE", default="`~/.lakectl.yaml`", meaning="Where that file is."),
    Setting(name="MLOPS_LAKE_CACHE_BYTES", default="10 GiB", meaning="Local copies of a real lakeFS's objects."),
)
"""Which lake is worked on. `mlops doctor` says which one was chosen, and why."""
