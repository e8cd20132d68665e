terraform {
  required_version = ">= 1.9"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }

  # The bucket that infra/bootstrap has made: terraform init -backend-config=bucket=NAME
  backend "gcs" {
    prefix = "milvus-l7"
  }
}

provider "google" {
  project = var.project
  region  = var.region
}
