"""Loopback addresses for one embedded cloud, so that two clouds on one machine never meet.

Every address of 127.0.0.0/8 is local on Linux without configuration or privileges. A cloud takes a random /24
of it and hands out its hosts as load balancer addresses. Ports below 1024 need privileges, so the Layer-7
front end listens on `HTTPS_PORT` and `HTTP_PORT` where the real one has 443 and 80; Layer-4 addresses keep
the Service's own ports.
"""

from __future__ import annotations

import random
import socket
import threading

HTTPS_PORT = 8443
HTTP_PORT = 8080

# Below the range from which Linux picks ports for outgoing connections, so that none of those takes a port
# between the moment it is found free and the moment its owner listens on it.
SERVER_PORTS = range(20000, 32000)
ATTEMPTS = 200

# Nobody listens here; holding it marks the prefix as taken by this cloud.
PREFIX_LOCK_PORT = 19999


class Addresses:
    """The addresses of one cloud: host .1 is for its own servers, the rest for load balancers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._prefix, self._claim = _claimed_prefix()
        self._free = [f"{self._prefix}.{host}" for host in range(254, 9, -1)]
        self._owners: dict[str, str] = {}

    @property
    def own(self) -> str:
        """Return the address for the cloud's own servers, for example Envoy's admin port."""
        return f"{self._prefix}.1"

    def lease(self, owner: str) -> str:
        """Return the address of `owner`, the same one on every call until `release`.

        `RuntimeError` when none is left.
        """
        with self._lock:
            if owner not in self._owners:
                if not self._free:
                    raise RuntimeError(f"all addresses of {self._prefix}.0/24 are in use")
                self._owners[owner] = self._free.pop()
            return self._owners[owner]

    def release(self, owner: str) -> None:
        """Give back the address of `owner`. It is handed out again last. Safe to call twice."""
        with self._lock:
            address = self._owners.pop(owner, None)
            if address:
                self._free.insert(0, address)

    def close(self) -> None:
        """Give the whole prefix back to the machine. Safe to call twice."""
        self._claim.close()


_handed_out: set[int] = set()
_port_lock = threading.Lock()


def free_port() -> int:
    """Return a TCP port on which nobody listens, on any address; never the same one twice in a process.

    Raises `RuntimeError` when none is found in `ATTEMPTS` attempts.
    """
    with _port_lock:
        for _ in range(ATTEMPTS):
            port = random.choice(SERVER_PORTS)  # noqa: S311 - not for security
            if port not in _handed_out and _is_free(port):
                _handed_out.add(port)
                return port
    raise RuntimeError(f"no free port found in {SERVER_PORTS}")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Without this a port with connections in TIME_WAIT counts as taken, which servers do not mind.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def _claimed_prefix() -> tuple[str, socket.socket]:
    """Return a random `127.x.y` that no other cloud holds, and the socket that holds it."""
    for _ in range(ATTEMPTS):
        prefix = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}"  # noqa: S311 - not for security
        claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            claim.bind((f"{prefix}.1", PREFIX_LOCK_PORT))
        except OSError:
            claim.close()
            continue
        return prefix, claim
    raise RuntimeError("no free loopback prefix found; does this machine allow binding to 127.0.0.0/8?")
