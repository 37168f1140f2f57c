"""Serves a packaged champion from the Bento's own environment file, as an image of it would be made, and asks it a row.

`python .ci/serve_from_image_environment.py DATA_DIR USE_CASE VENV`: what a machine without a container engine can tell
of `bentoml containerize`. VENV is made anew with exactly what `env/python/requirements.txt` of the Bento asks for,
transitive versions as `requirements.lock` pins them; our own code comes out of the Bento alone.
"""

import os
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
ASK = """
import sys
from importlib.util import find_spec
from pathlib import Path
from mlops_assets.stores.models.running_service import RunningService
from mlops_assets.use_cases.registry import find

tag, data, source = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
assert find_spec("mlops_assets").origin.startswith(str(source)), "our code must come out of the Bento"
example = find(tag.partition(":")[0], schemas=False).request.model_json_schema()["example"]
with RunningService.start(tag, data_dir=data, log=data / "image-service.log") as service:
    (answer,) = service.predict([example])
assert answer["model_version"] == tag.partition(":")[2], answer
print(f"{tag} answers {answer['score']:.4f} from its own environment")
"""


def main(data: Path, use_case: str, venv: Path) -> None:
    """Makes the environment and asks; whatever fails ends this program with its own words."""
    bento = data / "bentoml" / "bentos" / use_case / (data / "bentoml" / "bentos" / use_case / "latest").read_text()
    python = venv / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
    wanted = bento / "env" / "python" / "requirements.txt"
    subprocess.run([python, "-m", "pip", "install", "-q", "--constraint", LOCK, "--requirement", wanted], check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")}
    environment |= {"PYTHONPATH": str(bento / "src"), "BENTOML_DO_NOT_TRACK": "true"}
    command = [python, "-c", ASK, f"{use_case}:{bento.name}", data, bento / "src"]
    subprocess.run(command, env=environment, cwd=venv, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2], Path(sys.argv[3]).resolve())
