resource "google_cloud_scheduler_job" "tick" {
  for_each    = local.topology.schedules
  project     = var.project
  region      = var.region
  name        = "l7-${replace(each.key, "_", "-")}"
  description = "Publishes to ${each.value.topic}"
  schedule    = each.value.cron
  time_zone   = "Etc/UTC"

  pubsub_target {
    topic_name = "${local.topic_prefix}${each.value.topic}"
    data       = base64encode(jsonencode(each.value.body))
  }
}
