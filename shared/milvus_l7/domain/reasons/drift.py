"""What a drift check finds."""

from __future__ import annotations

from milvus_l7.domain.reasons.text import Text

DRIFTED = Text(
    "Drifted",
    "A field differs from what the setup needs.",
    'Publish the request again, or allow repair: "drift": {"policy": "repair"}.',
)
REPAIR_UNDONE = Text(
    "RepairUndone",
    "Another writer has undone the same repair three times in a row, so repairing has stopped.",
    "Stop the writer that the finding names from changing the field, then publish the request again.",
)
CERTIFICATE_EXPIRING = Text(
    "CertificateExpiring",
    "The certificate in the Secret ends within 30 days.",
    'Replace it, or allow `"drift": {"policy": "repair", "reissue_certificate": true}`; '
    "clients that pin it need the new one.",
)
