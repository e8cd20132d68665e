locals {
  state = local.topology.firestore

  # No field is indexed but those that queries order by; the time after which a document may go is none of them.
  unindexed = { for collection in keys(local.state.indexed) : "${collection}.*" => { collection = collection, field = "*", is_ttl = false, is_indexed = false } }
  indexed   = merge([for collection, fields in local.state.indexed : { for field in fields : "${collection}.${field}" => { collection = collection, field = field, is_ttl = false, is_indexed = true } }]...)
  expiring  = { for collection, field in local.state.ttl : "${collection}.${field}" => { collection = collection, field = field, is_ttl = true, is_indexed = false } }
}

resource "google_firestore_database" "state" {
  project                           = var.project
  name                              = local.state.database
  location_id                       = var.firestore_location == "" ? var.region : var.firestore_location
  type                              = "FIRESTORE_NATIVE"
  database_edition                  = "STANDARD"
  concurrency_mode                  = "PESSIMISTIC"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  delete_protection_state           = "DELETE_PROTECTION_ENABLED"
  deletion_policy                   = "ABANDON" # the way back of each setup is in it

  lifecycle {
    precondition {
      condition     = length(local.state.composite_indexes) == 0
      error_message = "infra/topology.yaml lists composite indexes, which nothing here makes."
    }
  }
}

resource "google_firestore_field" "all" {
  for_each   = merge(local.unindexed, local.indexed, local.expiring)
  project    = var.project
  database   = google_firestore_database.state.name
  collection = each.value.collection
  field      = each.value.field

  index_config {
    dynamic "indexes" {
      for_each = each.value.is_indexed ? ["ASCENDING"] : []
      content {
        order       = indexes.value
        query_scope = "COLLECTION"
      }
    }
  }

  dynamic "ttl_config" {
    for_each = each.value.is_ttl ? ["on"] : []
    content {}
  }
}
