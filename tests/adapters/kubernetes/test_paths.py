"""Names come from charts and labels: none leads to another object than the one of that name."""

from __future__ import annotations

import pytest

from milvus_l7.adapters.kubernetes.objects import KubernetesObjects
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.ports import ClusterAccess, ObjectRef

NOWHERE = KubernetesObjects(ClusterAccess("https://127.0.0.1:9", None), lambda: "token")


@pytest.mark.parametrize(
    "name",
    ["../../victim/configmaps/x", "..", ".", "a/b", "..%2Fvictim", "x?fieldManager=y", "x#y", "a b", "\n"],
)
def test_name_that_would_leave_its_segment_of_the_path_is_refused_unsent(name: str) -> None:
    for ref in (ObjectRef("v1", "ConfigMap", "default", name), ObjectRef("v1", "ConfigMap", name, "a")):
        with pytest.raises(Permanent, match="is no name of a ConfigMap") as refused:
            NOWHERE.get(ref)
        assert refused.value.reason is Reason.REFUSED_BY_CLUSTER


def test_name_that_kubernetes_allows_is_sent() -> None:
    for name in ("my-release-milvus", "sh.helm.release.v1.r.v1", "system:reader"):
        with pytest.raises(Transient):
            NOWHERE.get(ObjectRef("v1", "ConfigMap", "default", name))
