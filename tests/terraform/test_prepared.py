"""What a person prepares: identities with the rights that they need, and no more."""

from __future__ import annotations

import json
import tomllib
from collections import defaultdict
from pathlib import Path

from infra.bundle import topology
from localcloud.messaging import triggers
from tests.terraform.plans import CLUSTERS, NUMBER, PROJECT, REQUESTER, Plan, account

ROOT = Path(__file__).parents[2]
TOPOLOGY = topology()
FUNCTIONS = TOPOLOGY["functions"]
PUBSUB = f"serviceAccount:service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"
PUSH, PIPELINE = (f"serviceAccount:{account(name)}" for name in ("l7-push", "l7-pipeline"))
MEMBERS = {name: f"serviceAccount:{account(each['identity'])}" for name, each in FUNCTIONS.items()}


def of_project(prepared: Plan) -> dict[tuple[str, str], set[str]]:
    """Roles on whole projects, by project and member."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in prepared.of("google_project_iam_member").values():
        found[each["project"], each["member"]].add(each["role"])
    return dict(found)


def publishers(prepared: Plan) -> dict[str, set[str]]:
    """Topics on which each member may publish."""
    found: dict[str, set[str]] = defaultdict(set)
    for each in prepared.of("google_pubsub_topic_iam_member").values():
        assert each["role"] == "roles/pubsub.publisher"
        found[each["member"]].add(each["topic"])
    return dict(found)


def test_every_topic_of_the_topology_is_made_and_no_other(prepared: Plan) -> None:
    announced = [each["announces"] for each in FUNCTIONS.values() if "announces" in each]
    triggering = [trigger for each in FUNCTIONS.values() for trigger in triggers(each)]
    scheduled = [each["topic"] for each in TOPOLOGY["schedules"].values()]
    others = [*TOPOLOGY["notices"].values(), TOPOLOGY["subscriptions"]["dead_letter_topic"]]
    assert set(prepared.of("google_pubsub_topic")) == {*announced, *triggering, *scheduled, *others}


def test_every_function_has_an_identity_of_its_own(prepared: Plan) -> None:
    accounts = {
        name: each["account_id"] for name, each in prepared.of("google_service_account", "function").items()
    }
    assert accounts == {name: each["identity"] for name, each in FUNCTIONS.items()}
    assert len(set(accounts.values())) == len(accounts)


def test_rights_on_whole_projects_are_these(prepared: Plan) -> None:
    reach = f"projects/{CLUSTERS}/roles/milvusL7ClusterAccess"
    state = {(PROJECT, member): {"roles/datastore.user"} for member in MEMBERS.values()}
    entering = {
        (CLUSTERS, member): {reach}
        for name, member in MEMBERS.items()
        if FUNCTIONS[name].get("enters_clusters")
    }
    assert of_project(prepared) == {
        **state,
        **entering,
        (PROJECT, REQUESTER): {"roles/datastore.viewer"},
        (PROJECT, PUSH): {"roles/run.invoker"},
        (PROJECT, PUBSUB): {"roles/pubsub.subscriber"},
        (PROJECT, PIPELINE): {f"projects/{PROJECT}/roles/milvusL7Pipeline"},
    }


def test_rights_on_state_are_to_the_one_database(prepared: Plan) -> None:
    database = f'resource.name == "projects/{PROJECT}/databases/{TOPOLOGY["firestore"]["database"]}"'
    granted = prepared.of("google_project_iam_member").values()
    expressions = [
        each["condition"][0]["expression"] for each in granted if each["role"].startswith("roles/datastore")
    ]
    assert len(expressions) == len(FUNCTIONS) + 1
    assert all(expression.endswith(database) for expression in expressions)


def test_only_functions_that_carry_a_kubernetes_client_enter_clusters() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    carrying = {name for name in FUNCTIONS if "kubernetes" in extras[name.replace("_", "-")][0]}
    assert {name for name, each in FUNCTIONS.items() if each.get("enters_clusters")} == carrying


def test_access_to_clusters_is_to_reach_them_and_nothing_inside(prepared: Plan) -> None:
    """GKE adds what IAM allows inside a cluster to what Kubernetes allows."""
    (role,) = prepared.of("google_project_iam_custom_role", "cluster_access").values()
    assert role["permissions"] == ["container.clusters.connect", "container.clusters.get"]


def test_records_are_written_by_the_stages_that_make_and_remove_them_only(prepared: Plan) -> None:
    granted = prepared.of("google_dns_managed_zone_iam_member").values()
    writing = {each["member"] for each in granted if each["role"].endswith("DnsWrite")}
    assert writing == {MEMBERS["create_ingress"], MEMBERS["tear_down"]}
    assert {each["managed_zone"] for each in granted} == {"milvus"}
    read = prepared.of("google_project_iam_custom_role", "dns")["dns-project/read"]
    assert {permission.rpartition(".")[2] for permission in read["permissions"]} == {"get", "list"}


def test_functions_publish_on_no_dead_letters_and_requesters_on_three_topics(prepared: Plan) -> None:
    granted = publishers(prepared)
    dead_letters = TOPOLOGY["subscriptions"]["dead_letter_topic"]
    assert {member for member, topics in granted.items() if dead_letters in topics} == {PUBSUB}
    assert granted[REQUESTER] == {"l7-setup-requested", "l7-teardown-requested", "l7-drift-check-due"}
    assert set(granted) == {*MEMBERS.values(), REQUESTER, PUBSUB}


def test_stages_cannot_ask_for_a_set_up_or_answer_for_another_stage(prepared: Plan) -> None:
    """Any stage may start any other again; what one announces at its end is its own, and re-poll's."""
    granted = publishers(prepared)
    asked = [name for name, member in MEMBERS.items() if "l7-setup-requested" in granted[member]]
    verified = [name for name, member in MEMBERS.items() if "l7-setup-verified" in granted[member]]
    assert (asked, verified) == (["repoll"], ["verify_endpoint", "repoll"])


def test_nobody_has_a_basic_role_and_nobody_is_everybody(prepared: Plan) -> None:
    text = json.dumps([each["values"] for each in prepared.resources])
    assert not {role for role in ("roles/owner", "roles/editor", "roles/viewer") if role in text}
    assert "allUsers" not in text
    assert "allAuthenticatedUsers" not in text


def test_rights_are_added_to_what_others_have_granted(prepared: Plan) -> None:
    kinds = {kind for kind in prepared.kinds() if "_iam_" in kind and not kind.endswith("custom_role")}
    assert all(kind.endswith("_iam_member") for kind in kinds)


def test_pipeline_can_neither_grant_nor_read_nor_delete_what_is_kept(prepared: Plan) -> None:
    (role,) = prepared.of("google_project_iam_custom_role", "pipeline").values()
    granted = set(role["permissions"])
    assert not {
        each for each in granted if "IamPolicy" in each or each.startswith(("iam.", "resourcemanager."))
    }
    assert not {each for each in granted if each.startswith("datastore.entities")}
    assert (
        not {"datastore.databases.delete", "pubsub.topics.publish", "pubsub.subscriptions.consume"} & granted
    )


def test_pipeline_acts_as_the_identities_that_it_deploys(prepared: Plan) -> None:
    acting = prepared.of("google_service_account_iam_member").values()
    assert {each["service_account_id"].rpartition("/")[2] for each in acting} == {
        *(account(each["identity"]) for each in FUNCTIONS.values()),
        account("l7-push"),
    }
    assert {(each["role"], each["member"]) for each in acting} == {("roles/iam.serviceAccountUser", PIPELINE)}


def test_state_of_terraform_is_kept_from_the_public_and_in_versions(prepared: Plan) -> None:
    (bucket,) = prepared.of("google_storage_bucket").values()
    assert bucket["public_access_prevention"] == "enforced"
    assert bucket["uniform_bucket_level_access"] is True
    assert bucket["versioning"] == [{"enabled": True}]
