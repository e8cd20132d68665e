"""Set-ups are planned by running the stages dry."""
