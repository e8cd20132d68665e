"""An emulator of the Kubernetes API server: HTTPS, bearer tokens, an audit log, and garbage collection."""

from __future__ import annotations

from localcloud.kube.audit import AuditLog, AuditRecord
from localcloud.kube.server import KubeApi

__all__ = ["AuditLog", "AuditRecord", "KubeApi"]
