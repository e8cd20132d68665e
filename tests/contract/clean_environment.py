"""Virtual environments that hold just what some requirements come to, linked from where the tests run.

Made in a moment, because nothing is downloaded or unpacked. What is not required is not there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

# Looks for its library beside where its own module really is, and is changed by the image's steps.
COPIED = "helm_python"

Files = dict[str, "Files | None"]  # a folder, as what a distribution has in it; None is a file


def clean_environment(requirements: Path, folder: Path) -> Path:
    """Make the environment in `folder`, without pip, and return it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    for each in _required(requirements):
        _link(_files(each), Path(str(each.locate_file(""))), packages)
        _rewrite_commands(each, folder / "bin")
    return folder


def _required(requirements: Path) -> list[Distribution]:
    """What the file's lines install, dependencies included."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    queue, found = [line.split("==")[0] for line in lines if not line.startswith("#")], {}
    while queue:
        name = re.sub(r"[-_.]+", "-", queue.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:  # needed on other platforms only
            continue
        needs = found[name].requires or []
        queue += [re.split(r"[ ;<>=!~\[(]", need)[0] for need in needs if "extra ==" not in need]
    return list(found.values())


def _files(installed: Distribution) -> Files:
    found: Files = {}
    for file in installed.files or []:
        folder: Any = found
        for part in file.parts[:-1]:
            folder = folder.setdefault(part, {})
        folder[file.name] = None
    found.pop("..", None)  # commands
    return found


def _link(files: Files, source: Path, target: Path) -> None:
    """Link what one distribution alone has whole, and the parts of what several share."""
    for name, inner in files.items():
        is_own = inner is None or "__init__.py" in inner or name.endswith(".dist-info")
        if name == COPIED:
            shutil.copytree(source / name, target / name, copy_function=_copy_small)
        elif is_own:
            (target / name).symlink_to(source / name)
        else:
            (target / name).mkdir(exist_ok=True)
            _link(inner or {}, source / name, target / name)


def _copy_small(source: str, target: str) -> None:
    """Copy a module; link a library, of tens of megabytes."""
    if ".so" in source:
        Path(target).symlink_to(source)
    else:
        shutil.copy(source, target)


def _rewrite_commands(installed: Distribution, commands: Path) -> None:
    """Copy its commands, to run in the environment that they are copied to."""
    for file in installed.files or []:
        if file.parts[0] == ".." and file.parts[-2] == "bin":
            source, target = Path(str(installed.locate_file(file))), commands / file.name
            _, _, body = source.read_text(encoding="utf-8").partition("\n")
            target.write_text(f"#!{commands / 'python'}\n{body}", encoding="utf-8")
            target.chmod(0o755)
