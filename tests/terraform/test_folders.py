"""What holds for both folders, and what the offline provider refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.offline import schema
from infra.offline.provider import unlisted
from infra.offline.roots import FOLDERS, NAMES
from infra.offline.workspace import RefusedError, Workspace, workspace
from tests.terraform.plans import Plan

SCHEMA = json.loads(schema.SCHEMA.read_text(encoding="utf-8"))

# Each breaks a file of what is deployed in one place: file, what stands there, what is written instead.
WRONG = {
    "Unsupported argument": ("subscriptions.tf", "ack_deadline_seconds ", "ack_deadline_secs "),
    "Unsupported block type": ("subscriptions.tf", "retry_policy {", "retry_polcy {"),
    "Missing required argument": ("schedules.tf", "  name        =", "  # name      ="),
    "Too many expiration_policy blocks": (
        "subscriptions.tf",
        "  retry_policy {",
        "  expiration_policy {}\n  retry_policy {",
    ),
    "Incorrect attribute value type": ("subscriptions.tf", "= local.delivery.ack_deadline_s", '= "soon"'),
    "is none of INGRESS_TRAFFIC_ALL": ("services.tf", "INGRESS_TRAFFIC_INTERNAL_ONLY", "INTERNAL"),
    "Reference to undeclared input variable": ("services.tf", "= var.image", "= var.imag"),
    "Invalid resource type": (
        "dashboard.tf",
        '"google_monitoring_dashboard"',
        '"google_monitoring_dashbord"',
    ),
}


@pytest.fixture(scope="module")
def copy(program: str) -> Iterator[Workspace]:
    with workspace("terraform", program) as made:
        yield made


@pytest.mark.parametrize("said", WRONG)
def test_mistake_is_refused_by_name(copy: Workspace, said: str) -> None:
    name, stands, wrong = WRONG[said]
    path = copy.folder / name
    right = path.read_text(encoding="utf-8")
    assert stands in right
    path.write_text(right.replace(stands, wrong, 1), encoding="utf-8")
    try:
        with pytest.raises(RefusedError, match=said):
            copy.run("validate", "-no-color")
    finally:
        path.write_text(right, encoding="utf-8")


def test_value_that_is_not_documented_is_found_however_deep() -> None:
    block = {
        "attributes": {},
        "blocks": {"index": SCHEMA["resources"]["google_firestore_field"] | {"max": 0}},
    }
    wrong = {"index": [{"index_config": [{"indexes": [{"order": "UPWARDS", "query_scope": None}]}]}]}
    ((path, problem),) = unlisted(block, wrong)
    assert path == ("index", 0, "index_config", 0, "indexes", 0, "order")
    assert problem == "'UPWARDS' is none of ASCENDING, DESCENDING"


def test_schema_has_the_kinds_that_are_used_and_no_other() -> None:
    """`python -m infra.offline.schema` writes it anew."""
    assert set(SCHEMA["resources"]) == schema.used()
    assert SCHEMA["package"] == schema.PACKAGE


@pytest.mark.parametrize("plan", ["prepared", "deployed"])
def test_google_is_the_only_provider(request: pytest.FixtureRequest, plan: str) -> None:
    found: Plan = request.getfixturevalue(plan)
    assert set(found.document["configuration"]["provider_config"]) == {"google"}


@pytest.mark.parametrize("plan", ["prepared", "deployed"])
def test_whatever_takes_labels_has_that_of_the_product(request: pytest.FixtureRequest, plan: str) -> None:
    found: Plan = request.getfixturevalue(plan)
    for each in found.resources:
        for key in {"labels", "user_labels"} & set(SCHEMA["resources"][each["type"]]["attributes"]):
            assert each["values"][key] == {"app": "milvus-l7"}, each["address"]


@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_variables_have_a_type_and_whatever_a_person_reads_a_description(folder: Path) -> None:
    for name, body in declared("variable", folder / "variables.tf"):
        assert re.search(r"^  type +=", body, re.M), name
        assert re.search(r'^  description += "[A-Z].*\."$', body, re.M), name
    for name, body in declared("output", folder / "outputs.tf"):
        assert re.search(r'^  description += "[A-Z].*\."$', body, re.M), name


def declared(kind: str, path: Path) -> list[Any]:
    """Name and body of each block of a kind in a file that is formatted."""
    found = re.findall(rf'^{kind} "(\w+)" \{{\n(.*?)^\}}', path.read_text(encoding="utf-8"), re.M | re.S)
    assert found
    return found
