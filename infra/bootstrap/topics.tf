# Topics are made here, beside the rights on them: what is deployed later has no right to grant any.
resource "google_pubsub_topic" "all" {
  for_each   = local.topics
  project    = var.project
  name       = each.key
  labels     = local.labels
  depends_on = [google_project_service.needed]
}

resource "google_pubsub_topic_iam_member" "announces" {
  for_each = merge([for name, topics in local.announced : {
    for topic in topics : "${name}/${topic}" => { topic = topic, member = local.members[name] }
  }]...)
  project    = var.project
  topic      = each.value.topic
  role       = "roles/pubsub.publisher"
  member     = each.value.member
  depends_on = [google_pubsub_topic.all, google_service_account.function]
}

resource "google_pubsub_topic_iam_member" "requests" {
  for_each   = { for pair in setproduct(local.requested, var.requesters) : "${pair[0]}/${pair[1]}" => pair }
  project    = var.project
  topic      = each.value[0]
  role       = "roles/pubsub.publisher"
  member     = each.value[1]
  depends_on = [google_pubsub_topic.all]
}

resource "google_pubsub_topic_iam_member" "dead_letters" {
  project    = var.project
  topic      = local.dead_letters
  role       = "roles/pubsub.publisher"
  member     = local.pubsub_agent
  depends_on = [google_pubsub_topic.all]
}
