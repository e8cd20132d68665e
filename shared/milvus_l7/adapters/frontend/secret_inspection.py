"""Look into the TLS Secrets on an Ingress. Nothing of their values leaves this module."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from milvus_l7.domain.certificates import key_pair
from milvus_l7.domain.frontend import attached_secrets
from milvus_l7.domain.frontend.attached_secrets import SecretFaults
from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.ports import Certificates, KubeObjects, Manifest, ObjectRef


@dataclass(frozen=True, slots=True)
class SecretInspection:
    """Judges Secrets as a load balancer would at that time."""

    objects: KubeObjects
    certificates: Certificates
    now: datetime

    def look_into(self, namespace: str, names: Iterable[str]) -> SecretFaults:
        """Return what is wrong with Secrets; one that may not be read is not judged. Writes nothing."""
        faults, unreadable = dict[str, str](), set[str]()
        for name in names:
            try:
                fault = self._fault(ObjectRef(*kinds.SECRET, namespace, name))
            except Permanent as error:
                if error.reason is not Reason.CLUSTER_ACCESS_DENIED:
                    raise
                unreadable.add(name)
                continue
            if fault is not None:
                faults[name] = fault
        return SecretFaults(faults, frozenset(unreadable))

    def _fault(self, ref: ObjectRef) -> str | None:
        secret = self.objects.get(ref)
        if secret is None:
            return attached_secrets.missing(ref.name)
        fault = self._refusal(secret)
        return attached_secrets.broken(secret, fault) if fault is not None else None

    def _refusal(self, secret: Manifest) -> str | None:
        try:
            view = self.certificates.inspect(key_pair.entries_of(secret))
        except Permanent as error:
            return error.message
        return key_pair.refusal(view, self.now)
