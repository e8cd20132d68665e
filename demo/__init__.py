"""The whole job on one machine: drives the product in the embedded cloud, and shows what comes of it."""
