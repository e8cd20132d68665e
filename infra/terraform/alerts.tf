locals {
  counted = { for name in keys(local.metrics) : name => "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${name}\"" }
  waiting = "resource.type = \"pubsub_subscription\" AND metric.type = \"pubsub.googleapis.com/subscription"
  ours    = "resource.labels.subscription_id = one_of(${join(", ", [for name in keys(local.subscriptions) : "\"${name}\""])})"

  # Each fires when the count within five minutes, or the value, is above the limit.
  alerts = {
    setup_failed = {
      title    = "A setup failed"
      filter   = "${local.counted.l7-stages} AND metric.labels.outcome = \"failed\""
      limit    = 0
      aligner  = "ALIGN_DELTA"
      severity = "ERROR"
      advice   = "`milvus-l7 status --status failed` names the setups; `milvus-l7 explain SETUP` says what to do. Reasons: docs/reasons.md."
    }
    drift_not_repaired = {
      title    = "Drift was found and is not repaired"
      filter   = "${local.counted.l7-drift} AND metric.labels.verdict = \"drifted\" AND metric.labels.repairing = \"\""
      limit    = 0
      aligner  = "ALIGN_DELTA"
      severity = "WARNING"
      advice   = "`milvus-l7 status --drifted` names the setups, `milvus-l7 plan SETUP` what differs. Publish the request again to mend it, or let it be repaired by \"drift\": {\"policy\": \"repair\"}."
    }
    certificate_expiring = {
      title    = "A certificate ends within 30 days"
      filter   = local.counted.l7-certificate-expiring
      limit    = 0
      aligner  = "ALIGN_DELTA"
      severity = "WARNING"
      advice   = "Replace the Secret, or allow \"drift\": {\"policy\": \"repair\", \"reissue_certificate\": true}; clients that pin the certificate need the new one."
    }
    behind = {
      title    = "Re-poll or drift checks are behind"
      filter   = local.counted.l7-behind
      limit    = 3
      aligner  = "ALIGN_DELTA"
      severity = "WARNING"
      advice   = "More setups are due than a tick takes on: each is looked at less often. docs/adr/0008 says what the limits are."
    }
    dead_letters = {
      title    = "Messages were given up"
      filter   = "${local.waiting}/num_undelivered_messages\" AND resource.labels.subscription_id = \"${google_pubsub_subscription.dead_letters.name}\""
      limit    = 0
      aligner  = "ALIGN_MAX"
      severity = "ERROR"
      advice   = "Look at them: gcloud pubsub subscriptions pull ${google_pubsub_subscription.dead_letters.name} --project ${var.project}. A setup whose message was given up is woken by re-poll; a request is not, and is published again."
    }
    oldest_message = {
      title    = "A message has waited for an hour"
      filter   = "${local.waiting}/oldest_unacked_message_age\" AND ${local.ours}"
      limit    = 3600
      aligner  = "ALIGN_MAX"
      severity = "ERROR"
      advice   = "A function does not answer, or may not be called: look at the logs of the service that the subscription is named after."
    }
  }
}

resource "google_monitoring_alert_policy" "above" {
  for_each     = local.alerts
  project      = var.project
  display_name = "milvus-l7: ${each.value.title}"
  combiner     = "OR"
  severity     = each.value.severity
  user_labels  = local.labels

  conditions {
    display_name = each.value.title
    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.limit
      duration        = "0s"
      aggregations {
        alignment_period   = "300s"
        per_series_aligner = each.value.aligner
      }
    }
  }

  notification_channels = var.notification_channels
  documentation {
    content = each.value.advice
  }
  alert_strategy {
    auto_close = "86400s"
  }
  depends_on = [google_logging_metric.count]
}

resource "google_monitoring_alert_policy" "silent" {
  for_each     = local.topology.schedules
  project      = var.project
  display_name = "milvus-l7: ${each.key} is silent"
  combiner     = "OR"
  severity     = "CRITICAL"
  user_labels  = local.labels

  conditions {
    display_name = "No answered call in ten minutes, of one a minute"
    condition_absent {
      filter   = "resource.type = \"cloud_run_revision\" AND metric.type = \"run.googleapis.com/request_count\" AND resource.labels.service_name = \"${google_cloud_run_v2_service.function[each.key].name}\" AND metric.labels.response_code_class = \"2xx\""
      duration = "600s"
      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  notification_channels = var.notification_channels
  documentation {
    content = "Setups that wait are not woken, or not checked. Is the job l7-${replace(each.key, "_", "-")} of Cloud Scheduler enabled, and does the service log errors?"
  }
  alert_strategy {
    auto_close = "86400s"
  }
}
