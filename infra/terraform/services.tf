resource "google_cloud_run_v2_service" "function" {
  for_each            = local.functions
  project             = var.project
  name                = local.services[each.key]
  location            = var.region
  labels              = local.labels
  ingress             = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  deletion_protection = false # nothing is kept in a service

  template {
    service_account                  = "${each.value.identity}@${local.domain}"
    timeout                          = "${each.value.timeout_s}s"
    max_instance_request_concurrency = 1
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    labels                           = local.labels

    scaling {
      min_instance_count = 0
      max_instance_count = var.max_instances
    }

    dynamic "vpc_access" {
      for_each = var.network == null ? [] : [var.network]
      content {
        egress = "PRIVATE_RANGES_ONLY"
        network_interfaces {
          network    = vpc_access.value.network
          subnetwork = vpc_access.value.subnetwork
        }
      }
    }

    containers {
      image = var.image

      resources {
        cpu_idle          = true # paid for while a request runs
        startup_cpu_boost = true
        limits            = { cpu = "1", memory = each.value.memory }
      }

      dynamic "env" {
        for_each = merge(local.topology.environment, {
          FUNCTION_TARGET       = each.key
          GOOGLE_CLOUD_PROJECT  = var.project
          L7_FIRESTORE_DATABASE = local.topology.firestore.database
        })
        content {
          name  = env.key
          value = env.value
        }
      }
    }
  }
}
