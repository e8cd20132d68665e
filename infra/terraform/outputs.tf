output "services" {
  description = "Address of each function; only Pub/Sub, of this project, reaches it."
  value       = { for name, service in google_cloud_run_v2_service.function : name => service.uri }
}

output "next" {
  description = "What to type next."
  value       = <<-EOT
    export GOOGLE_CLOUD_PROJECT=${var.project} L7_FIRESTORE_DATABASE=${google_firestore_database.state.name}
    milvus-l7 plan -f request.yaml            # what a set-up would change
    milvus-l7 request -f request.yaml --watch
  EOT
}
