"""The functions' image: what its Dockerfile runs, run here in a virtual environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from infra.bundle import function_names
from localcloud.addresses import free_port
from tests.contract.clean_environment import clean_environment

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "infra" / "image" / "build"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")

# What the start of a service does before it answers, for each function in turn.
LOAD_ALL = """
import sys
from functions_framework import create_app

for name in sys.argv[2:]:
    app = create_app(name, f"{sys.argv[1]}/functions/{name}/main.py")
    assert app.test_client().post("/", data=b"no event").status_code == 400, name
import milvus_l7
print(milvus_l7.__file__)
"""


def build(*arguments: str | Path) -> str:
    """Run a step of the image with the tests' Python, and without an index."""
    commands = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    shown = subprocess.run(
        [BUILD, *arguments],
        env={**os.environ, "PATH": commands, "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    return shown.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image") / "venv"
    return clean_environment(ROOT / "requirements.txt", folder)


@pytest.fixture(scope="module")
def said_by_install(environment: Path) -> str:
    return build("install", environment)


@pytest.fixture(scope="module")
def app(environment: Path, said_by_install: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder /app of the image; its environment has been through the steps."""
    folder = tmp_path_factory.mktemp("app")
    build("trim", environment)
    build("lay-out", folder)
    build("compile", environment, folder)
    return folder


def python(environment: Path, *arguments: str, **variables: str) -> str:
    shown = subprocess.run(
        [environment / "bin" / "python", "-c", *arguments],
        env={"GOOGLE_CLOUD_PROJECT": "p", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def test_pip_finds_each_pin_and_leaves_itself_out(environment: Path, said_by_install: str) -> None:
    """The environment has them already, so that nothing is downloaded here."""
    assert "Collecting" not in said_by_install
    assert "Requirement already satisfied: helm-python-sdk==" in said_by_install
    assert not list(environment.glob("lib/python*/site-packages/pip"))


def test_one_copy_of_the_helm_library_is_left_and_loads(environment: Path, app: Path) -> None:
    (library,) = environment.glob("lib/python*/site-packages/helm_python/lib/*")
    loaded = python(environment, "from helm_python import _native; print(_native.library_path)")
    assert loaded.strip() == str(library)


def test_every_function_is_served_by_the_one_folder(environment: Path, app: Path) -> None:
    said = python(environment, LOAD_ALL, str(app), *function_names(), PYTHONPATH=str(app))
    assert said.splitlines()[-1] == str(app / "milvus_l7" / "__init__.py")


def test_everything_of_ours_is_compiled_and_not_checked_against_its_source(app: Path) -> None:
    sources = list(app.rglob("*.py"))
    compiled = {path: next((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc")) for path in sources}
    flags = {path.read_bytes()[4:8] for path in compiled.values()}
    assert flags == {b"\x01\x00\x00\x00"}  # PEP 552: by hash, unchecked


def test_start_serves_the_target_on_the_port_that_it_is_given(environment: Path, app: Path) -> None:
    port = free_port()
    variables = {"FUNCTION_TARGET": "accept_request", "PORT": str(port), "GOOGLE_CLOUD_PROJECT": "p"}
    path = f"{environment / 'bin'}:/usr/bin:/bin"
    with subprocess.Popen([app / "start"], env={**variables, "PATH": path}) as server:
        try:
            assert answer(f"http://127.0.0.1:{port}/") == 400
        finally:
            server.terminate()


def answer(url: str) -> int:
    """The status with which a server answers what is no event, once it listens."""
    for _ in range(600):
        try:
            return int(urllib.request.urlopen(url, data=b"no event", timeout=30).status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(url)


def test_start_names_what_is_missing(app: Path) -> None:
    shown = subprocess.run([app / "start"], env={}, capture_output=True, text=True, check=False)
    assert shown.returncode != 0
    assert "FUNCTION_TARGET" in shown.stderr


def test_dockerfile_runs_the_steps_in_their_order_and_no_other_command() -> None:
    commands = " && ".join(re.findall(r"^RUN ((?:.*\\\n)*.*)", DOCKERFILE, re.M)).replace("\\\n", "")
    steps = [part.split("infra/image/build ")[1].split()[0] for part in commands.split("&&")]
    assert steps == ["install", "trim", "lay-out", "compile", "compile"]


def test_image_is_pinned_by_whoever_builds_it_and_runs_without_root() -> None:
    assert re.findall(r"^ARG (.*)", DOCKERFILE, re.M) == ["BASE"]
    assert {line.split()[0] for line in re.findall(r"^FROM (.*)", DOCKERFILE, re.M)} == {"${BASE}"}
    (user,) = re.findall(r"^USER (\d+):\d+", DOCKERFILE, re.M)
    assert int(user) > 0


def test_build_context_has_what_the_dockerfile_copies_and_little_more() -> None:
    """Little more: `infra` without the Terraform."""
    copied = [line.split()[:-1] for line in re.findall(r"^COPY (?!--from)(.*)", DOCKERFILE, re.M)]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    assert ignored[1] == "*"
    assert let_in == {name for names in copied for name in names}
    assert all((ROOT / name).exists() for name in let_in)


def test_build_file_uses_what_it_declares_and_names_the_base() -> None:
    """Cloud Build refuses substitutions that are not declared, and those that are not used."""
    text = (ROOT / "infra" / "image" / "cloudbuild.yaml").read_text(encoding="utf-8")
    build = yaml.safe_load(text)
    used = {
        name for step in build["steps"] for each in step["args"] for name in re.findall(r"\$(_\w+)", each)
    }
    assert used == set(build["substitutions"])
    assert "BASE=$_BASE" in build["steps"][0]["args"]
    assert (
        build["options"]["logging"] == "CLOUD_LOGGING_ONLY"
    )  # needed by a build with an identity of its own
