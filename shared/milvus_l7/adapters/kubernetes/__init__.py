"""GKE clusters: where they are, who we are there, and their objects."""
