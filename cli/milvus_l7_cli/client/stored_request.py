"""Rebuild the request of a stored setup: the inverse of `domain.request.request.parse`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from milvus_l7.domain.setup.desired import CertificateSpec, Desired
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.maintenance_window import MaintenanceWindow
from milvus_l7.domain.setup.supervision import Supervision


def body(setup: Setup) -> dict[str, Any]:
    """Return a body that parses to the last request that no plan refused.

    It has only the fields that differ from the defaults.
    """
    default = _whole(Desired(cluster="", release="", domain=""), Supervision())
    desired = setup.requested.desired if setup.requested else setup.desired
    return _differing(_whole(desired, setup.supervision), default)


def tear_down_body(setup: Setup, *, restore_l4: bool) -> dict[str, Any]:
    """Return the body of the setup's tear-down request."""
    desired = setup.desired
    names = {"cluster": desired.cluster, "release": desired.release, "namespace": desired.namespace}
    return {**names, "restore_l4": restore_l4}


def _whole(desired: Desired, supervision: Supervision) -> dict[str, Any]:
    return {
        "cluster": desired.cluster,
        "release": desired.release,
        "domain": desired.domain,
        "namespace": desired.namespace,
        "certificate": _certificate(desired.certificate),
        "backend_timeout_s": desired.backend_timeout_s,
        "verification": {"deep": desired.deep_verification},
        "dns": {"managed_zone": desired.dns_zone},
        "adopt": desired.adopt,
        "drift": {
            "policy": str(supervision.policy),
            "interval_s": supervision.interval_s,
            "allow_outage": supervision.allow_outage,
            "reissue_certificate": supervision.reissue_certificate,
        },
        "paused": supervision.paused,
        "on_failure": str(supervision.on_failure),
        "maintenance_window": _window(supervision.maintenance_window),
    }


def _window(window: MaintenanceWindow | None) -> dict[str, Any]:
    """Return the window's fields, without times if there is none."""
    if window is None:
        return {
            "start_time": None,
            "end_time": None,
            "time_zone": MaintenanceWindow("", "").time_zone,
            "days": [],
        }
    return {
        "start_time": window.start_time,
        "end_time": window.end_time,
        "time_zone": window.time_zone,
        "days": list(window.days),
    }


def _certificate(certificate: CertificateSpec) -> dict[str, Any]:
    return {
        "type": str(certificate.type),
        "secret": certificate.secret,
        "validity_days": certificate.validity_days,
        "domains": list(certificate.domains),
        "recreate_failed": certificate.recreate_failed,
    }


def _differing(value: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that differ from the default, objects by their own fields."""
    return {
        name: _differing(each, default[name]) if isinstance(each, Mapping) else each
        for name, each in value.items()
        if each != default[name]
    }
