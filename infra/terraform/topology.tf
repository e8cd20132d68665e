locals {
  topology  = yamldecode(file("${path.module}/../topology.yaml"))
  functions = local.topology.functions
  delivery  = local.topology.subscriptions
  labels    = merge(var.labels, { app = "milvus-l7" })

  services     = { for name in keys(local.functions) : name => "l7-${replace(name, "_", "-")}" }
  topic_prefix = "projects/${var.project}/topics/"
  domain       = "${var.project}.iam.gserviceaccount.com"

  # One subscription for each topic that calls a function, named as the topology says.
  subscriptions = merge([for name, function in local.functions : {
    for topic in concat([function.trigger], try(function.also_triggered_by, [])) :
    "${topic}-${replace(name, "_", "-")}" => { topic = topic, function = name }
  }]...)
}
