resource "google_service_account" "function" {
  for_each     = local.functions
  project      = var.project
  account_id   = each.value.identity
  display_name = "milvus-l7 ${each.key}"
  depends_on   = [google_project_service.needed]
}

resource "google_service_account" "push" {
  project      = var.project
  account_id   = "l7-push"
  display_name = "milvus-l7: calls the functions for Pub/Sub"
  depends_on   = [google_project_service.needed]
}

resource "google_service_account" "pipeline" {
  project      = var.project
  account_id   = "l7-pipeline"
  display_name = "milvus-l7: builds and deploys, and cannot grant rights"
  depends_on   = [google_project_service.needed]
}
