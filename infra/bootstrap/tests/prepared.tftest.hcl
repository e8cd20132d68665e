# Applied to a mock of Google: what is said at the end, and what variables are refused.
mock_provider "google" {}

variables {
  project          = "milvus-l7-demo"
  project_number   = "123456789012"
  region           = "us-central1"
  cluster_projects = ["milvus-testing-nonprod"]
}

run "says_what_to_type_next" {
  assert {
    condition     = strcontains(output.next, "bucket=milvus-l7-demo-milvus-l7-terraform")
    error_message = "The state would go to another bucket."
  }
  assert {
    condition     = output.image_repository == "us-central1-docker.pkg.dev/milvus-l7-demo/milvus-l7/functions"
    error_message = "The image would be pushed elsewhere."
  }
  assert {
    condition     = length(google_dns_managed_zone_iam_member.records) == 0 && length(google_project_iam_custom_role.dns) == 0
    error_message = "Nobody asked for rights on DNS."
  }
}

run "refuses_what_is_no_project_number_or_region" {
  command = plan
  variables {
    project        = "123"
    project_number = "milvus-l7-demo"
    region         = "US"
  }
  expect_failures = [var.project, var.project_number, var.region]
}

run "refuses_clusters_of_no_project_and_zones_by_their_domain" {
  command = plan
  variables {
    cluster_projects = []
    dns_zones        = ["milvus.io"]
  }
  expect_failures = [var.cluster_projects, var.dns_zones]
}

run "gives_no_right_to_everybody" {
  command = plan
  variables {
    requesters = ["allUsers", "domain:example.com"]
  }
  expect_failures = [var.requesters]
}
