# ruff: noqa: B018, F821
"""What `make dead-code` would report although it is used: from outside, by a library, or by tests."""

# Read or called by a library.
_._value_  # enum
_.width  # rich, ruamel.yaml
_.preserve_quotes  # ruamel.yaml
_.nameservers  # dnspython
_.refresh_api_key_hook  # kubernetes
_.ca_cert_data  # kubernetes
_.should_exit  # uvicorn
_.daemon_threads  # socketserver
_.protocol_version  # http.server
_.do_GET  # http.server
_.do_POST  # http.server
_.do_PUT  # http.server
_.do_PATCH  # http.server
_.do_DELETE  # http.server
_.log_message  # http.server
format  # http.server names the parameter of log_message

# Part of a message, a document, or an identity.
_.schema_version
_.created_at
_.delivery_attempt
_.update_version
FAILED_CAA_CHECKING

# `make docs`.
json_schema

# How tests make the embedded cloud fail, and hold it.
FAILED_RATE_LIMITED
_.renew
_.break_down
_.kill
_.caller
_.wait_reached
_.forget
