"""What `deploy/` gives to operations is valid where it is applied, and its parts name each other rightly."""

from __future__ import annotations

import shutil
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from typer.testing import CliRunner

from mlops_assets.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
UNIT = ROOT / "deploy" / "systemd" / "mlops-serve@.service"
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))


def manifest(name: str) -> dict[str, Any]:
    """The one object of a file."""
    (told,) = yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert isinstance(told, dict)
    return told


def validate(told: dict[str, Any]) -> None:
    """Refuses what the newest known Kubernetes does not take, fields that it does not know among it."""
    kubernetes_validate.validate(told, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_is_valid(path: Path) -> None:
    validate(manifest(path.stem))


def test_a_misspelt_field_is_no_manifest() -> None:
    told = deepcopy(manifest("deployment"))
    container = told["spec"]["template"]["spec"]["containers"][0]
    container["readynessProbe"] = container.pop("readinessProbe")

    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        validate(told)


def test_the_manifests_name_each_other() -> None:
    deployment, service = manifest("deployment"), manifest("service")
    pod = deployment["spec"]["template"]
    labels, container = pod["metadata"]["labels"], pod["spec"]["containers"][0]
    volumes = {each["name"]: each for each in pod["spec"]["volumes"]}

    assert service["spec"]["selector"].items() <= labels.items()
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert manifest("disruption-budget")["spec"]["selector"] == deployment["spec"]["selector"]
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == manifest("storage")["metadata"]["name"]
    assert {each["name"] for each in container["volumeMounts"]} == set(volumes)
    assert service["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]
    assert str(container["ports"][0]["containerPort"]) in container["args"]


def test_a_pod_is_asked_by_its_probes_bounded_and_without_rights() -> None:
    spec = manifest("deployment")["spec"]["template"]["spec"]
    (container,) = spec["containers"]

    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == container["startupProbe"]["httpGet"]["path"] == "/readyz"
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}
    assert spec["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not container["securityContext"]["allowPrivilegeEscalation"]


def test_the_unit_file_is_one(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "mlops-serve@flights.service"
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/mlops/venv/bin/mlops", str(shutil.which("true"))))

    done = subprocess.run([verify, "verify", str(unit)], capture_output=True, text=True, check=False)
    unit.write_text(unit.read_text().replace("MemoryMax=2G", "MemoryMaximum=2G"))
    misspelt = subprocess.run([verify, "verify", str(unit)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert "MemoryMaximum" in misspelt.stderr


def test_the_unit_file_starts_a_command_there_is_with_options_there_are() -> None:
    (line,) = [line for line in UNIT.read_text(encoding="utf-8").splitlines() if line.startswith("ExecStart=")]
    options = [word for word in line.split() if word.startswith("--")]

    shown = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"}).output

    assert options == ["--host", "--port", "--workers"]
    assert all(option in shown for option in options)
