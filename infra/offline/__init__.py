"""Check the Terraform without an account, a provider or a network; nothing of it is deployed."""
