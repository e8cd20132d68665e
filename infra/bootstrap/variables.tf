variable "project" {
  type        = string
  description = "Id of the project that milvus-l7 is deployed to. One of its own keeps other services out of reach of its identities."
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project id has 6 to 30 lower-case letters, digits and dashes, and begins with a letter."
  }
}

variable "project_number" {
  type        = string
  description = "The project's number: gcloud projects describe PROJECT --format 'value(projectNumber)'."
  validation {
    condition     = can(regex("^[1-9][0-9]+$", var.project_number))
    error_message = "The number, not the id: digits only."
  }
}

variable "region" {
  type        = string
  description = "Region of the image repository and the bucket of Terraform's state, as us-central1."
  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "A region, as us-central1; not a zone."
  }
}

variable "cluster_projects" {
  type        = set(string)
  description = "Ids of the projects whose GKE clusters requests may name. Only there do the functions get access to clusters."
  validation {
    condition     = length(var.cluster_projects) > 0
    error_message = "Name at least one project."
  }
}

variable "dns_zones" {
  type        = set(string)
  description = "Cloud DNS zones that the functions may write A records to, each as projects/P/managedZones/Z."
  default     = []
  validation {
    condition     = alltrue([for zone in var.dns_zones : can(regex("^projects/[^/]+/managedZones/[^/]+$", zone))])
    error_message = "Write each zone as projects/P/managedZones/Z."
  }
}

variable "requesters" {
  type        = set(string)
  description = "Who may publish requests and read the state, as group:milvus@example.com: what the command line needs."
  default     = []
  validation {
    condition     = alltrue([for member in var.requesters : can(regex("^(user|group|serviceAccount):[^@ ]+@[^@ ]+$", member))])
    error_message = "Name people, groups or service accounts, as group:milvus@example.com; nobody else gets a right."
  }
}

variable "labels" {
  type        = map(string)
  description = "Labels of everything that can have some, besides app."
  default     = {}
}
