output "pipeline" {
  description = "The identity that builds and deploys."
  value       = google_service_account.pipeline.email
}

output "identities" {
  description = "Address and unique id of each function's identity: the names that Kubernetes knows it by."
  value       = { for name, account in google_service_account.function : name => { email = account.email, unique_id = account.unique_id } }
}

output "image_repository" {
  description = "Where the image is pushed to."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}/functions"
}

output "next" {
  description = "What to type next, from the root of the repository."
  value       = <<-EOT
    gcloud builds submit --project ${var.project} --region ${var.region} --config infra/image/cloudbuild.yaml \
      --service-account projects/${var.project}/serviceAccounts/l7-pipeline@${local.domain} \
      --gcs-source-staging-dir gs://${google_storage_bucket.terraform_state.name}/source \
      --substitutions _BASE=python:3.11-slim@sha256:DIGEST,_REPOSITORY=${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}/functions
    terraform -chdir=infra/terraform init -backend-config=bucket=${google_storage_bucket.terraform_state.name}
    terraform -chdir=infra/terraform apply -var project=${var.project} -var region=${var.region} -var image=WHAT_THE_BUILD_PRINTED
  EOT
}
