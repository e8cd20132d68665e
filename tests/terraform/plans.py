"""What Terraform plans to make of nothing, for an imaginary project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PROJECT, REGION, NUMBER = "milvus-l7-demo", "us-central1", "123456789012"
CLUSTERS, ZONE, REQUESTER = (
    "milvus-testing-nonprod",
    "projects/dns-project/managedZones/milvus",
    "group:milvus@example.com",
)
IMAGE = f"{REGION}-docker.pkg.dev/{PROJECT}/milvus-l7/functions@sha256:{'0' * 64}"

VARIABLES: Mapping[str, Mapping[str, Any]] = {
    "bootstrap": {
        "project": PROJECT,
        "project_number": NUMBER,
        "region": REGION,
        "cluster_projects": [CLUSTERS],
        "dns_zones": [ZONE],
        "requesters": [REQUESTER],
    },
    "terraform": {"project": PROJECT, "region": REGION, "image": IMAGE},
}

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan, as `terraform show -json` tells it."""

    document: Mapping[str, Any]

    @property
    def resources(self) -> list[Mapping[str, Any]]:
        """Return all resources: address, type, name, index, values."""
        return list(self.document["planned_values"]["root_module"]["resources"])

    def kinds(self) -> set[str]:
        return {each["type"] for each in self.resources}

    def of(self, kind: str, name: str | None = None) -> dict[str, Values]:
        """Return the values of the resources of a kind by their index, or else their name."""
        return {
            each.get("index", each["name"]): each["values"]
            for each in self.resources
            if each["type"] == kind and name in (None, each["name"])
        }


def topic(name: str) -> str:
    return f"projects/{PROJECT}/topics/{name}"


def account(identity: str) -> str:
    return f"{identity}@{PROJECT}.iam.gserviceaccount.com"
