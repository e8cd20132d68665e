"""Which releases are Milvus, and which charts let Milvus see its user.yaml."""

from __future__ import annotations

from typing import Any

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.release import suitability

NAME = "my-release-milvus"
LABELS = {"app": "milvus"}


def rendered(volume: dict[str, Any], mount: dict[str, Any], labels: dict[str, str] = LABELS) -> list[Any]:
    container = {"name": "c", "volumeMounts": [{"name": "config", **mount}]}
    spec = {"containers": [container], "volumes": [{"name": "config", **volume}]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return [
        {"kind": "Service", "metadata": {"name": NAME}, "spec": {"selector": LABELS}},
        {"kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": template}},
    ]


OWN = {"configMap": {"name": NAME}}
FILE = {"mountPath": "/milvus/configs/user.yaml", "subPath": "user.yaml"}


@pytest.mark.parametrize(
    ("volume", "mount", "is_seen"),
    [
        (OWN, FILE, True),
        (OWN, {"mountPath": "/milvus/configs/operator"}, True),
        (OWN, {"mountPath": "/milvus/configs/milvus.yaml", "subPath": "milvus.yaml"}, False),
        ({"configMap": {"name": "mine"}}, FILE, False),
        ({"emptyDir": {}}, FILE, False),
        ({"configMap": {"name": NAME, "items": [{"key": "user.yaml", "path": "u"}]}}, FILE, False),
        (
            {"configMap": {"name": NAME, "items": [{"key": "user.yaml", "path": "u"}]}},
            {**FILE, "subPath": "u"},
            True,
        ),
        (
            {"configMap": {"name": NAME, "items": [{"key": "other", "path": "o"}]}},
            {"mountPath": "/c"},
            False,
        ),
    ],
)
def test_user_yaml_is_seen_only_where_it_is_mounted(
    volume: dict[str, Any], mount: dict[str, Any], is_seen: bool
) -> None:
    assert (suitability.lacks_file(rendered(volume, mount), NAME) == "") is is_seen


def test_only_the_pods_that_serve_count() -> None:
    assert "no Pod that serves" in suitability.lacks_file(rendered(OWN, FILE, {"app": "other"}), NAME)


def test_rendering_without_the_service_is_told() -> None:
    assert "renders no Service" in suitability.lacks_file(rendered(OWN, FILE), "another")


def test_another_chart_is_told_by_its_name_and_a_subchart_as_that() -> None:
    suitability.refuse_other_chart("r", "milvus", ())
    with pytest.raises(Permanent, match=r"of the chart 'app', not milvus$") as caught:
        suitability.refuse_other_chart("r", "app", ("etcd",))
    assert caught.value.reason is Reason.RELEASE_NOT_MILVUS
    with pytest.raises(Permanent, match="as a subchart of another chart is not supported"):
        suitability.refuse_other_chart("r", "app", ("milvus",))
