# Applied to a mock of Google: what is known only after an apply, and what variables are refused.
mock_provider "google" {
  mock_resource "google_cloud_run_v2_service" {
    defaults = { uri = "https://l7-function-uc.a.run.app" }
  }
}

variables {
  project = "milvus-l7-demo"
  region  = "us-central1"
  image   = "us-central1-docker.pkg.dev/milvus-l7-demo/milvus-l7/functions@sha256:0000000000000000000000000000000000000000000000000000000000000000"
}

run "pushes_to_the_services" {
  assert {
    condition     = alltrue([for each in google_pubsub_subscription.push : each.push_config[0].push_endpoint == "https://l7-function-uc.a.run.app"])
    error_message = "A subscription calls something else than a service of ours."
  }
  assert {
    condition     = alltrue([for each in google_pubsub_subscription.push : each.push_config[0].oidc_token[0].audience == each.push_config[0].push_endpoint])
    error_message = "A token is for another audience than the service that gets it."
  }
  assert {
    condition     = strcontains(output.next, "L7_FIRESTORE_DATABASE=${google_firestore_database.state.name}")
    error_message = "The command line would read another database."
  }
}

run "reaches_private_clusters_through_a_network" {
  command = plan
  variables {
    network = { network = "shared", subnetwork = "functions" }
  }
  assert {
    condition     = alltrue([for each in google_cloud_run_v2_service.function : each.template[0].vpc_access[0].network_interfaces[0].subnetwork == "functions"])
    error_message = "A function is outside the network."
  }
}

run "refuses_an_image_by_its_tag" {
  command = plan
  variables {
    image = "us-central1-docker.pkg.dev/milvus-l7-demo/milvus-l7/functions:latest"
  }
  expect_failures = [var.image]
}

run "refuses_what_is_no_project_region_or_channel" {
  command = plan
  variables {
    project               = "Milvus"
    region                = "us-central1-a"
    firestore_location    = "europe"
    max_instances         = 0
    notification_channels = ["ops@example.com"]
  }
  expect_failures = [var.project, var.region, var.firestore_location, var.max_instances, var.notification_channels]
}
