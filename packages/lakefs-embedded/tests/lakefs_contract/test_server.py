from __future__ import annotations

import lakefs_sdk
import pytest
from lakefs.client import Client
from lakefs.exceptions import NotAuthorizedException
from lakefs.repository import Repository


def test_health_check_answers(client: Client) -> None:
    assert client.sdk_client.health_check_api.health_check() is None


def test_version_is_told(client: Client) -> None:
    assert client.version[0].isdigit()


def test_storage_configuration_is_told(client: Client) -> None:
    storage = client.storage_config
    assert storage.blockstore_type
    assert isinstance(storage.pre_sign_support, bool)


@pytest.mark.parametrize(("user", "secret"), [("nobody", "nothing"), ("", ""), ("AKIA", "é")])
def test_wrong_key_is_refused(client: Client, user: str, secret: str) -> None:
    stranger = Client(host=client.config.host, username=user or "x", password=secret or "x")
    with pytest.raises(NotAuthorizedException):
        _ = Repository("contract-unknown", client=stranger).properties


def test_health_check_needs_no_key(client: Client) -> None:
    api = lakefs_sdk.ApiClient(lakefs_sdk.Configuration(host=client.config.host))
    assert lakefs_sdk.HealthCheckApi(api).health_check() is None
