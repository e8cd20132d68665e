"""What users publish: requests, why they are refused, and what they make of a setup."""
