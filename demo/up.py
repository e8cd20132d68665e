"""`milvus-l7 local up`: the embedded cloud with a plaintext Milvus in it, until Ctrl-C."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from demo.deployment import embedded_cloud
from demo.release import install, wait_plaintext
from localcloud.cloud import CLUSTER

RELEASE = "my-release"
DOMAIN = "my-release.milvus.io"


def main() -> int:
    """Run until Ctrl-C or SIGTERM; the exit status: 130 interrupted, 1 if it does not start."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    remarks = Console(stderr=True, highlight=False, markup=False)
    try:
        with embedded_cloud() as cloud:
            remarks.print("The embedded cloud runs; Milvus starts.")
            install(cloud, RELEASE)
            wait_plaintext(cloud, f"{RELEASE}-milvus")
            sys.stdout.write(instructions(cloud.environment | cloud.trust, cloud.kubeconfig(), cloud.folder))
            sys.stdout.flush()
            signal.pause()
    except KeyboardInterrupt:
        remarks.print("\nStopped; everything is cleaned up.")
        return 130
    except (TimeoutError, RuntimeError) as error:
        remarks.print(f"✗ {error}", soft_wrap=True)
        return 1
    return 0


def instructions(environment: Mapping[str, str], kubeconfig: Path, folder: Path) -> str:
    """Return what to type in another terminal, ready to be pasted."""
    exports = "".join(f"export {name}={value}\n" for name, value in environment.items())
    request = json.dumps({"cluster": CLUSTER, "release": RELEASE, "domain": DOMAIN})
    here = Path(sys.executable).parent
    return (
        f"# Runs until Ctrl-C. Logs of the functions and of Milvus: {folder}\n"
        "# In another terminal:\n"
        f"{exports}export KUBECONFIG={kubeconfig}\n\n"
        f"echo '{request}' | {here / 'milvus-l7'} request -f - --watch\n"
        f"{here / 'kubectl'} get ingress,service,backendconfig\n"
    )


if __name__ == "__main__":
    sys.exit(main())
