locals {
  # Firestore knows no smaller right than one to a whole database.
  one_database = "resource.type == \"firestore.googleapis.com/Database\" && resource.name == \"projects/${var.project}/databases/${local.topology.firestore.database}\""
  entering     = [for name, function in local.functions : name if try(function.enters_clusters, false)]
  zones        = { for zone in var.dns_zones : zone => { project = split("/", zone)[1], name = split("/", zone)[3] } }
  dns_rights = {
    read  = ["dns.managedZones.get", "dns.resourceRecordSets.list"]
    write = ["dns.changes.create", "dns.changes.get", "dns.managedZones.get", "dns.resourceRecordSets.create", "dns.resourceRecordSets.delete", "dns.resourceRecordSets.list", "dns.resourceRecordSets.update"]
  }
  dns_projects = toset([for zone in values(local.zones) : zone.project])
}

resource "google_project_iam_member" "state" {
  for_each = local.members
  project  = var.project
  role     = "roles/datastore.user"
  member   = each.value
  condition {
    title      = "state of milvus-l7"
    expression = local.one_database
  }
  depends_on = [google_service_account.function]
}

resource "google_project_iam_member" "state_readers" {
  for_each = var.requesters
  project  = var.project
  role     = "roles/datastore.viewer"
  member   = each.key
  condition {
    title      = "state of milvus-l7"
    expression = local.one_database
  }
}

# A predefined role of GKE would grant rights inside clusters too, which GKE adds to those of Kubernetes.
resource "google_project_iam_custom_role" "cluster_access" {
  for_each    = var.cluster_projects
  project     = each.key
  role_id     = "milvusL7ClusterAccess"
  title       = "milvus-l7: reach clusters"
  permissions = ["container.clusters.connect", "container.clusters.get"]
  depends_on  = [google_project_service.needed]
}

resource "google_project_iam_member" "clusters" {
  for_each   = { for pair in setproduct(var.cluster_projects, local.entering) : "${pair[0]}/${pair[1]}" => pair }
  project    = each.value[0]
  role       = "projects/${each.value[0]}/roles/${google_project_iam_custom_role.cluster_access[each.value[0]].role_id}"
  member     = local.members[each.value[1]]
  depends_on = [google_service_account.function]
}

resource "google_project_iam_custom_role" "dns" {
  for_each    = { for pair in setproduct(local.dns_projects, keys(local.dns_rights)) : "${pair[0]}/${pair[1]}" => pair }
  project     = each.value[0]
  role_id     = "milvusL7Dns${title(each.value[1])}"
  title       = "milvus-l7: ${each.value[1]} records"
  permissions = local.dns_rights[each.value[1]]
  depends_on  = [google_project_service.needed]
}

resource "google_dns_managed_zone_iam_member" "records" {
  for_each = merge([for zone, parts in local.zones : {
    for name, function in local.functions : "${zone}/${name}" => {
      project = parts.project, zone = parts.name, role = "${parts.project}/${function.dns}", member = local.members[name]
    } if try(function.dns, null) != null
  }]...)
  project      = each.value.project
  managed_zone = each.value.zone
  role         = "projects/${each.value.project}/roles/${google_project_iam_custom_role.dns[each.value.role].role_id}"
  member       = each.value.member
  depends_on   = [google_service_account.function]
}

# Neither Cloud Run nor Pub/Sub takes conditions on names, and services and subscriptions are made later, by an identity
# that grants nothing: docs/adr/0025.
resource "google_project_iam_member" "push" {
  project    = var.project
  role       = "roles/run.invoker"
  member     = local.push
  depends_on = [google_service_account.push]
}

resource "google_project_iam_member" "dead_letters" {
  project    = var.project
  role       = "roles/pubsub.subscriber"
  member     = local.pubsub_agent
  depends_on = [google_project_service.needed]
}
