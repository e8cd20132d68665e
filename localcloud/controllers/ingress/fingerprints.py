"""Whether a sync is due: a digest of all that users can change about an Ingress and what it refers to.

Pure.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from localcloud.controllers import object_annotations
from localcloud.controllers.ingress import load_balancer, service_annotations, translation
from localcloud.controllers.ingress.translation import Gathered

Object = dict[str, Any]


def fingerprint(ingress: Object, gathered: Gathered) -> str:
    """Return a digest of the Ingress, its Services and the BackendConfigs, not of what controllers write."""
    names = {name for name, _ in translation.service_ports(ingress)}
    services = {name: _wishes(gathered.services[name]) for name in sorted(names & gathered.services.keys())}
    configs = {name: config.get("spec") for name, config in sorted(gathered.backend_configs.items())}
    text = json.dumps([_wishes(ingress), services, configs], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _wishes(item: Object) -> Object:
    """Return the spec and annotations without those of the controllers."""
    kept = {
        key: value
        for key, value in object_annotations.of(item).items()
        if key != service_annotations.NEG_STATUS and not _is_ours(key)
    }
    return {"spec": item["spec"], "annotations": kept}


def _is_ours(key: str) -> bool:
    return (
        key == load_balancer.STATIC_IP or key.removeprefix(load_balancer.PREFIX) in load_balancer.STATUS_KEYS
    )
