"""Builds a Bento out of the folder it stands in: run as `python -m mlops_assets.serving.build` by ``bento_store.py``.

Belongs here: the two calls to BentoML (model into the model store, source into a Bento). They run in a
process of their own because BentoML's build imports the service, changes the working folder, and keeps its
settings for the life of a process.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ["BENTOML_DO_NOT_TRACK"] = "true"

import bentoml
from bentoml._internal.bento.build_config import BentoEnvSchema

ORDER = "built.json"
MODEL_FOLDER = "model"
DATA_IN_IMAGE = "/data"
"""Where an image made of the Bento finds its data. Without a mounted folder the service refuses to
start. A volume that the image declared by itself would be thrown away with its container, answers and all.
"""


def build(folder: Path) -> str:
    """Builds what ``built.json`` in ``folder`` orders into the store at BENTOML_HOME; answers the Bento's
    tag.
    """
    order = json.loads((folder / ORDER).read_text())
    tag = f"{order['use_case']}:{order['version']}"
    labels, checksums = order["labels"], order["checksums"]
    with bentoml.models.create(tag, labels=labels, metadata={"checksums": checksums}) as model:
        for name in checksums:
            Path(model.path_of(name)).write_bytes((folder / MODEL_FOLDER / name).read_bytes())
    built = bentoml.build(
        "mlops_assets.serving.service:PredictionService",
        name=order["use_case"],
        version=order["version"],
        labels=labels,
        description=order["description"],
        include=[*order["include"], ORDER],
        models=[tag],
        python={"packages": order["packages"], "lock_packages": False},
        build_ctx=str(folder),
        envs=[BentoEnvSchema(name="MLOPS_DATA_DIR", value=DATA_IN_IMAGE)],
        args={"use_case": order["use_case"], "model": tag, "checksums": checksums},
    )
    return str(built.tag)


if __name__ == "__main__":
    build(Path.cwd())
