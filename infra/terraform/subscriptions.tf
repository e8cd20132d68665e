locals {
  week  = "604800s"
  month = "2678400s" # the longest that Pub/Sub keeps a message
}

resource "google_pubsub_subscription" "push" {
  for_each                   = local.subscriptions
  project                    = var.project
  name                       = each.key
  topic                      = "${local.topic_prefix}${each.value.topic}"
  labels                     = local.labels
  ack_deadline_seconds       = local.delivery.ack_deadline_s
  message_retention_duration = local.week

  # Never: a setup may rest for longer than a month.
  expiration_policy {
    ttl = ""
  }

  push_config {
    push_endpoint = google_cloud_run_v2_service.function[each.value.function].uri
    oidc_token {
      service_account_email = "l7-push@${local.domain}"
      audience              = google_cloud_run_v2_service.function[each.value.function].uri
    }
  }

  retry_policy {
    minimum_backoff = "${local.delivery.minimum_backoff_s}s"
    maximum_backoff = "${local.delivery.maximum_backoff_s}s"
  }

  dead_letter_policy {
    dead_letter_topic     = "${local.topic_prefix}${local.delivery.dead_letter_topic}"
    max_delivery_attempts = local.delivery.max_delivery_attempts
  }
}

# Without a subscription of its own, the dead-letter topic would drop what it is given.
resource "google_pubsub_subscription" "dead_letters" {
  project                    = var.project
  name                       = "${local.delivery.dead_letter_topic}-kept"
  topic                      = "${local.topic_prefix}${local.delivery.dead_letter_topic}"
  labels                     = local.labels
  ack_deadline_seconds       = local.delivery.ack_deadline_s
  message_retention_duration = local.month

  expiration_policy {
    ttl = ""
  }
}
