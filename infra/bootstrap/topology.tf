locals {
  topology  = yamldecode(file("${path.module}/../topology.yaml"))
  functions = local.topology.functions
  labels    = merge(var.labels, { app = "milvus-l7" })

  stages         = { for name, function in local.functions : name => function if try(function.is_stage, true) }
  stage_triggers = [for function in values(local.stages) : function.trigger]
  dead_letters   = local.topology.subscriptions.dead_letter_topic

  topics = toset(concat(
    flatten([for function in values(local.functions) : concat(
      [function.trigger],
      try(function.also_triggered_by, []),
      try([function.announces], []),
    )]),
    values(local.topology.notices),
    [local.dead_letters],
  ))

  # On which topics each function publishes. What looks after the outbox publishes on all of them but the one that
  # Pub/Sub itself fills.
  announced = { for name, function in local.functions : name => toset(
    try(function.republishes, false)
    ? setsubtract(local.topics, [local.dead_letters])
    : concat(
      local.stage_triggers,
      try([function.announces], []),
      try(function.also_announces, []),
      contains(keys(local.stages), name) ? [local.topology.notices.failed] : [],
    )
  ) }

  # What people publish on: requests, dry runs, tear-downs, drift checks.
  requested = toset([
    local.functions.accept_request.trigger,
    local.functions.tear_down.trigger,
    local.functions.check_drift.trigger,
  ])

  # Addresses are known before there is an account, so that a plan shows who gets what.
  domain       = "${var.project}.iam.gserviceaccount.com"
  members      = { for name, function in local.functions : name => "serviceAccount:${function.identity}@${local.domain}" }
  push         = "serviceAccount:l7-push@${local.domain}"
  pipeline     = "serviceAccount:l7-pipeline@${local.domain}"
  pubsub_agent = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}
