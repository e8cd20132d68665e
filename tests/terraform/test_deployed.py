"""What the pipeline deploys is what the topology lists, and each part of it is complete."""

from __future__ import annotations

import base64
import json
import re

from infra.bundle import topology
from localcloud.messaging import subscription_id, triggers
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.document import StageState
from milvus_l7.domain.setup.drift_report import Verdict
from milvus_l7.ports import Queue
from tests.terraform.plans import IMAGE, PROJECT, Plan, Values, account, topic

TOPOLOGY = topology()
FUNCTIONS = TOPOLOGY["functions"]
RULES = TOPOLOGY["subscriptions"]
NEVER = [{"ttl": ""}]


def services(deployed: Plan) -> dict[str, Values]:
    return deployed.of("google_cloud_run_v2_service")


def container(service: Values) -> Values:
    (found,) = service["template"][0]["containers"]
    return dict(found)


def test_each_function_is_one_service_with_its_limits_and_identity(deployed: Plan) -> None:
    told = {
        name: (
            service["template"][0]["timeout"],
            container(service)["resources"][0]["limits"]["memory"],
            service["template"][0]["service_account"],
        )
        for name, service in services(deployed).items()
    }
    assert told == {
        name: (f"{each['timeout_s']}s", each["memory"], account(each["identity"]))
        for name, each in FUNCTIONS.items()
    }


def test_services_run_one_image_and_differ_by_their_target(deployed: Plan) -> None:
    common = TOPOLOGY["environment"] | {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "L7_FIRESTORE_DATABASE": TOPOLOGY["firestore"]["database"],
    }
    for name, service in services(deployed).items():
        assert container(service)["image"] == IMAGE
        told = {each["name"]: each["value"] for each in container(service)["env"]}
        assert told == common | {"FUNCTION_TARGET": name}


def test_services_cost_nothing_at_rest_and_handle_one_delivery_at_a_time(deployed: Plan) -> None:
    for service in services(deployed).values():
        (template,), resources = service["template"], container(service)["resources"][0]
        assert template["max_instance_request_concurrency"] == 1
        assert template["scaling"][0]["min_instance_count"] == 0
        assert resources["cpu_idle"] is True
        assert resources["startup_cpu_boost"] is True


def test_only_pubsub_of_the_project_reaches_a_service(deployed: Plan) -> None:
    assert {each["ingress"] for each in services(deployed).values()} == {"INGRESS_TRAFFIC_INTERNAL_ONLY"}
    assert {each["invoker_iam_disabled"] for each in services(deployed).values()} == {None}


def test_each_trigger_has_one_push_subscription_of_the_name_that_functions_expect(deployed: Plan) -> None:
    pushed = deployed.of("google_pubsub_subscription", "push")
    assert {each["name"]: each["topic"] for each in pushed.values()} == {
        subscription_id(trigger, name): topic(trigger)
        for name, function in FUNCTIONS.items()
        for trigger in triggers(function)
    }


def test_each_push_subscription_is_complete(deployed: Plan) -> None:
    for each in deployed.of("google_pubsub_subscription", "push").values():
        assert each["ack_deadline_seconds"] == RULES["ack_deadline_s"]
        assert each["retry_policy"] == [{"minimum_backoff": "10s", "maximum_backoff": "600s"}]
        assert each["dead_letter_policy"] == [
            {"dead_letter_topic": topic(RULES["dead_letter_topic"]), "max_delivery_attempts": 20}
        ]
        assert each["expiration_policy"] == NEVER
        assert each["push_config"][0]["oidc_token"][0]["service_account_email"] == account("l7-push")


def test_no_function_may_work_longer_than_its_delivery_waits(deployed: Plan) -> None:
    shortest = min(
        each["ack_deadline_seconds"] for each in deployed.of("google_pubsub_subscription", "push").values()
    )
    assert all(int(each["template"][0]["timeout"][:-1]) <= shortest for each in services(deployed).values())


def test_dead_letters_are_kept_until_somebody_looks(deployed: Plan) -> None:
    (kept,) = deployed.of("google_pubsub_subscription", "dead_letters").values()
    assert kept["topic"] == topic(RULES["dead_letter_topic"])
    assert (kept["expiration_policy"], kept["message_retention_duration"]) == (NEVER, "2678400s")
    assert (kept["push_config"], kept["dead_letter_policy"]) == ([], [])


def test_each_schedule_is_one_job_whose_message_has_a_body(deployed: Plan) -> None:
    jobs = deployed.of("google_cloud_scheduler_job")
    assert {
        name: (each["schedule"], each["pubsub_target"][0]["topic_name"]) for name, each in jobs.items()
    } == {name: (each["cron"], topic(each["topic"])) for name, each in TOPOLOGY["schedules"].items()}
    bodies = {name: base64.b64decode(each["pubsub_target"][0]["data"]) for name, each in jobs.items()}
    assert {name: json.loads(body) for name, body in bodies.items()} == {"repoll": {}, "check_drift": {}}
    assert {each["attempt_deadline"] for each in jobs.values()} == {None}  # never settles, with Pub/Sub


def test_state_is_in_the_named_database_which_nothing_deletes(deployed: Plan) -> None:
    (database,) = deployed.of("google_firestore_database").values()
    assert database["name"] == TOPOLOGY["firestore"]["database"] != "(default)"
    assert database["delete_protection_state"] == "DELETE_PROTECTION_ENABLED"
    assert database["deletion_policy"] == "ABANDON"


def test_fields_that_queries_order_by_are_indexed_and_no_other(deployed: Plan) -> None:
    fields = deployed.of("google_firestore_field")
    indexed = {name for name, each in fields.items() if each["index_config"][0]["indexes"]}
    assert indexed == {*(f"setups.{queue}" for queue in Queue), "outbox.created_at"}
    assert {name for name in fields if name.endswith(".*")} == {
        "setups.*",
        "history.*",
        "outbox.*",
        "plans.*",
    }
    assert {each["database"] for each in fields.values()} == {TOPOLOGY["firestore"]["database"]}


def test_documents_that_expire_are_deleted_by_firestore(deployed: Plan) -> None:
    fields = deployed.of("google_firestore_field")
    expiring = {each["collection"]: each["field"] for each in fields.values() if each["ttl_config"]}
    assert expiring == TOPOLOGY["firestore"]["ttl"]


def test_pipeline_grants_no_right(deployed: Plan) -> None:
    assert {kind for kind in deployed.kinds() if "_iam_" in kind} == set()


def test_metrics_count_lines_that_the_functions_write(deployed: Plan) -> None:
    """The texts are those of the code; the pattern of one is not."""
    metrics = deployed.of("google_logging_metric")
    patterns = {name: re.findall(r'message=~"([^"]+)"', each["filter"]) for name, each in metrics.items()}
    lines = {
        "l7-stages": [f"stage {state}" for state in (StageState.DONE, StageState.WAITING, StageState.FAILED)],
        "l7-rejected": ["request rejected", "tear-down rejected"],
        "l7-drift": [f"drift check: {verdict}{more}" for verdict in Verdict for more in ("", ", repairing")],
        "l7-behind": [
            "re-poll is behind: more is due than one tick handles",
            "drift checks are behind: more are due than one tick handles",
        ],
    }
    for name, written in lines.items():
        (pattern,) = patterns[name]
        assert all(re.search(pattern, line) for line in written), name
    assert not re.search(patterns["l7-stages"][0], f"stage {StageState.RUNNING}")


def test_reasons_in_filters_are_reasons(deployed: Plan) -> None:
    filters = [each["filter"] for each in deployed.of("google_logging_metric").values()]
    named = {name for text in filters for name in re.findall(r'reason="(\w+)"', text)}
    assert named == {Reason.CERTIFICATE_EXPIRING}


def test_every_alert_says_what_to_do_and_watches_a_metric_that_there_is(deployed: Plan) -> None:
    alerts = deployed.of("google_monitoring_alert_policy")
    assert set(alerts) == {
        "setup_failed",
        "drift_not_repaired",
        "certificate_expiring",
        "behind",
        "dead_letters",
        "oldest_message",
        *TOPOLOGY["schedules"],  # is silent
    }
    conditions = [(each["conditions"][0]) for each in alerts.values()]
    filters = [(each["condition_threshold"] or each["condition_absent"])[0]["filter"] for each in conditions]
    ours = {name for text in filters for name in re.findall(r"user/([\w-]+)", text)}
    assert ours <= set(deployed.of("google_logging_metric"))
    assert all(len(each["documentation"][0]["content"]) > 40 for each in alerts.values())


def test_dashboard_shows_metrics_that_there_are(deployed: Plan) -> None:
    (dashboard,) = deployed.of("google_monitoring_dashboard").values()
    shown = json.loads(dashboard["dashboard_json"])
    ours = set(re.findall(r"user/([\w-]+)", dashboard["dashboard_json"]))
    assert len(shown["mosaicLayout"]["tiles"]) == 6
    assert ours <= set(deployed.of("google_logging_metric"))
