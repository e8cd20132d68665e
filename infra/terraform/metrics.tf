locals {
  of_functions = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(${join(" OR ", [for service in values(local.services) : "\"${service}\""])})"

  # Counts of what the functions log; each label is taken out of the line.
  metrics = {
    l7-stages = {
      description = "Ends of stages: done, waiting or failed, with their reason"
      filter      = "jsonPayload.message=~\"^stage (done|waiting|failed)$\""
      labels = {
        outcome = "REGEXP_EXTRACT(jsonPayload.message, \"^stage ([a-z]+)$\")"
        stage   = "EXTRACT(jsonPayload.stage)"
        reason  = "EXTRACT(jsonPayload.reason)"
      }
    }
    l7-rejected = {
      description = "Requests and tear-downs that were rejected, with their reason"
      filter      = "jsonPayload.message=~\"^(request|tear-down) rejected$\""
      labels      = { reason = "EXTRACT(jsonPayload.reason)" }
    }
    l7-drift = {
      description = "Drift checks by their verdict, and whether what they found is being repaired"
      filter      = "jsonPayload.message=~\"^drift check: \""
      labels = {
        verdict   = "REGEXP_EXTRACT(jsonPayload.message, \"^drift check: ([a-z]+)\")"
        repairing = "REGEXP_EXTRACT(jsonPayload.message, \"(repairing)$\")"
      }
    }
    l7-certificate-expiring = {
      description = "Drift checks that found a certificate which ends within 30 days"
      filter      = "jsonPayload.findings.reason=\"CertificateExpiring\""
      labels      = { setup_id = "EXTRACT(jsonPayload.setup_id)" }
    }
    l7-behind = {
      description = "Ticks that had more to do than they may take on"
      # A line that has nothing but a message may be stored as plain text.
      filter = "(jsonPayload.message=~\"^(re-poll is|drift checks are) behind\" OR textPayload=~\"^drift checks are behind\")"
      labels = {}
    }
  }
}

resource "google_logging_metric" "count" {
  for_each         = local.metrics
  project          = var.project
  name             = each.key
  description      = each.value.description
  filter           = "${local.of_functions} AND ${each.value.filter}"
  label_extractors = each.value.labels

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }
}
