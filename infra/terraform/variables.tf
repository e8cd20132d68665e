variable "project" {
  type        = string
  description = "Id of the project, which infra/bootstrap has prepared."
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project id has 6 to 30 lower-case letters, digits and dashes, and begins with a letter."
  }
}

variable "region" {
  type        = string
  description = "Region of services and schedules, as us-central1."
  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "A region, as us-central1; not a zone."
  }
}

variable "image" {
  type        = string
  description = "The functions' image by its digest, as REGION-docker.pkg.dev/PROJECT/milvus-l7/functions@sha256:..."
  validation {
    condition     = can(regex("^[^@ ]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "Name the image by its digest (...@sha256: and 64 hexadecimal digits): a tag may mean another one tomorrow."
  }
}

variable "firestore_location" {
  type        = string
  description = "Where the state is kept, as us-central1, nam5 or eur3; it cannot be changed later. Empty: the region."
  default     = ""
  validation {
    condition     = can(regex("^([a-z]+-[a-z]+[0-9]+|nam[0-9]+|eur[0-9]+)?$", var.firestore_location))
    error_message = "A region, as us-central1, or a multi-region, as nam5."
  }
}

variable "max_instances" {
  type        = number
  description = "How many instances of one function may run at once; each works on one setup at a time."
  default     = 20
  validation {
    condition     = var.max_instances >= 1 && var.max_instances <= 100 && floor(var.max_instances) == var.max_instances
    error_message = "A whole number from 1 to 100."
  }
}

variable "network" {
  type        = object({ network = string, subnetwork = string })
  description = "VPC network and subnetwork from which the functions reach clusters that have only a private address. Not needed for clusters with a DNS endpoint."
  default     = null
}

variable "notification_channels" {
  type        = set(string)
  description = "Monitoring channels that alerts go to, each as projects/P/notificationChannels/N. Without one, alerts are seen in the console only."
  default     = []
  validation {
    condition     = alltrue([for channel in var.notification_channels : can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", channel))])
    error_message = "Write each channel as projects/P/notificationChannels/N."
  }
}

variable "labels" {
  type        = map(string)
  description = "Labels of everything that can have some, besides app."
  default     = {}
}
