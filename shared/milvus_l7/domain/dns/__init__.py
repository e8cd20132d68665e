"""DNS: what public DNS says of a domain, and the records that we write."""
