resource "google_artifact_registry_repository" "images" {
  project       = var.project
  location      = var.region
  repository_id = "milvus-l7"
  format        = "DOCKER"
  labels        = local.labels
  docker_config {
    immutable_tags = true
  }
  cleanup_policies {
    id     = "keep-the-last-ten"
    action = "KEEP"
    most_recent_versions {
      keep_count = 10
    }
  }
  cleanup_policies {
    id     = "delete-the-others"
    action = "DELETE"
    condition {
      older_than = "2592000s"
    }
  }
  depends_on = [google_project_service.needed]
}

resource "google_artifact_registry_repository_iam_member" "pipeline" {
  project    = var.project
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.repository_id
  role       = "roles/artifactregistry.writer"
  member     = local.pipeline
  depends_on = [google_service_account.pipeline]
}

resource "google_storage_bucket" "terraform_state" {
  project                     = var.project
  name                        = "${var.project}-milvus-l7-terraform"
  location                    = var.region
  labels                      = local.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  versioning {
    enabled = true
  }
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      num_newer_versions = 30
    }
  }
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 30
      matches_prefix = ["source/"] # what builds were given
    }
  }
  depends_on = [google_project_service.needed]
}

resource "google_storage_bucket_iam_member" "pipeline" {
  bucket     = google_storage_bucket.terraform_state.name
  role       = "roles/storage.objectUser"
  member     = local.pipeline
  depends_on = [google_service_account.pipeline]
}

# Deploying a service, or a subscription that calls it, means to act as its identity.
resource "google_service_account_iam_member" "pipeline" {
  for_each           = merge({ for name, account in google_service_account.function : name => account.account_id }, { push = google_service_account.push.account_id })
  service_account_id = "projects/${var.project}/serviceAccounts/${each.value}@${local.domain}"
  role               = "roles/iam.serviceAccountUser"
  member             = local.pipeline
  depends_on         = [google_service_account.pipeline]
}

# What infra/terraform makes, and no right to grant rights, to delete the state or to read it.
resource "google_project_iam_custom_role" "pipeline" {
  project = var.project
  role_id = "milvusL7Pipeline"
  title   = "milvus-l7: deploy"
  permissions = [
    "cloudscheduler.jobs.create",
    "cloudscheduler.jobs.delete",
    "cloudscheduler.jobs.enable",
    "cloudscheduler.jobs.get",
    "cloudscheduler.jobs.list",
    "cloudscheduler.jobs.pause",
    "cloudscheduler.jobs.update",
    "datastore.databases.create",
    "datastore.databases.getMetadata",
    "datastore.databases.list",
    "datastore.databases.update",
    "datastore.indexes.get",
    "datastore.indexes.list",
    "datastore.indexes.update",
    "datastore.operations.get",
    "datastore.operations.list",
    "logging.logEntries.create",
    "logging.logMetrics.create",
    "logging.logMetrics.delete",
    "logging.logMetrics.get",
    "logging.logMetrics.list",
    "logging.logMetrics.update",
    "monitoring.alertPolicies.create",
    "monitoring.alertPolicies.delete",
    "monitoring.alertPolicies.get",
    "monitoring.alertPolicies.list",
    "monitoring.alertPolicies.update",
    "monitoring.dashboards.create",
    "monitoring.dashboards.delete",
    "monitoring.dashboards.get",
    "monitoring.dashboards.list",
    "monitoring.dashboards.update",
    "pubsub.subscriptions.create",
    "pubsub.subscriptions.delete",
    "pubsub.subscriptions.get",
    "pubsub.subscriptions.list",
    "pubsub.subscriptions.update",
    "pubsub.topics.attachSubscription",
    "pubsub.topics.get",
    "pubsub.topics.list",
    "run.operations.get",
    "run.operations.list",
    "run.revisions.get",
    "run.revisions.list",
    "run.services.create",
    "run.services.delete",
    "run.services.get",
    "run.services.list",
    "run.services.update",
  ]
  depends_on = [google_project_service.needed]
}

resource "google_project_iam_member" "pipeline" {
  project    = var.project
  role       = "projects/${var.project}/roles/${google_project_iam_custom_role.pipeline.role_id}"
  member     = local.pipeline
  depends_on = [google_service_account.pipeline]
}
