"""The Milvus server from PyPI, unpacked once per machine and shared by all runs.

The `milvus` package ships its executable and libraries compressed (about 250 MB unpacked, some seconds of
work).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path


def cache_folder() -> Path:
    """Return the user's cache folder (`XDG_CACHE_HOME`, else `~/.cache`); created if missing."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(root) / "milvus-l7"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# Where the server keeps its process id; not configurable (milvus-io/milvus `cmd/milvus/util.go`).
RUN_FOLDERS = (Path("/run/milvus"), Path("/tmp/milvus"))


def check_run_folder() -> None:
    """Raise `RuntimeError` if the server could write to none of its two run folders: it would only exit."""
    for folder in RUN_FOLDERS:
        nearest = folder if folder.exists() else folder.parent
        if os.access(nearest, os.W_OK):
            return
    folders = " or ".join(map(str, RUN_FOLDERS))
    raise RuntimeError(f"Milvus must write to {folders}, and both belong to another user; remove the last")


def milvus_binaries(cache: Path) -> Path:
    """Return the folder of the `milvus` executable and its libraries; unpacked once a version.

    Safe to run at the same time in several processes: the folder appears complete, by a rename, or not at
    all.
    """
    import milvus

    target = cache / f"milvus-{milvus.__version__}"
    if not target.exists():
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=cache))
        try:
            milvus._initialize_data_files(str(partial))
            # Somebody else was faster: theirs is as good.
            with contextlib.suppress(OSError):
                partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target / "bin"


def configuration_template() -> str:
    """Return the text of the server's own configuration, with `{{ key(type): default }}` placeholders."""
    return _packaged("config.yaml.template")


def logging_settings() -> str:
    """Return the text of `configs/glog.conf`, without which the server's C++ part crashes at start."""
    return _packaged("glog.conf")


def _packaged(name: str) -> str:
    import milvus

    return (Path(milvus.__file__).parent / "data" / name).read_text(encoding="utf-8")
