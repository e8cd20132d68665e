locals {
  charts = {
    "Stages done, waiting and failed" = { filter = local.counted.l7-stages, aligner = "ALIGN_RATE", group = "metric.label.outcome" }
    "Reasons of failures"             = { filter = "${local.counted.l7-stages} AND metric.labels.outcome = \"failed\"", aligner = "ALIGN_RATE", group = "metric.label.reason" }
    "Reasons of waits"                = { filter = "${local.counted.l7-stages} AND metric.labels.outcome = \"waiting\"", aligner = "ALIGN_RATE", group = "metric.label.reason" }
    "Rejected requests"               = { filter = local.counted.l7-rejected, aligner = "ALIGN_RATE", group = "metric.label.reason" }
    "Drift checks"                    = { filter = local.counted.l7-drift, aligner = "ALIGN_RATE", group = "metric.label.verdict" }
    "Age of the oldest message"       = { filter = "${local.waiting}/oldest_unacked_message_age\" AND ${local.ours}", aligner = "ALIGN_MAX", group = "resource.label.subscription_id" }
  }
  charts_a_row = 2
}

resource "google_monitoring_dashboard" "overview" {
  project = var.project
  dashboard_json = jsonencode({
    displayName = "milvus-l7"
    labels      = { app = "" }
    mosaicLayout = {
      columns = 12
      tiles = [for number, title in keys(local.charts) : {
        xPos   = 6 * (number % local.charts_a_row)
        yPos   = 4 * floor(number / local.charts_a_row)
        width  = 6
        height = 4
        widget = {
          title = title
          xyChart = {
            dataSets = [{
              plotType = "LINE"
              timeSeriesQuery = {
                timeSeriesFilter = {
                  filter = local.charts[title].filter
                  aggregation = {
                    alignmentPeriod    = "300s"
                    perSeriesAligner   = local.charts[title].aligner
                    crossSeriesReducer = "REDUCE_SUM"
                    groupByFields      = [local.charts[title].group]
                  }
                }
              }
            }]
          }
        }
      }]
    }
  })
  depends_on = [google_logging_metric.count]
}
