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
REPAIR_LIMIT_REACHED = Text(
    "RepairLimitReached",
    "The setup has been repaired twelve times within a day, so repairing has stopped until that is past.",
    "Find what keeps changing the setup, then publish the request again.",
)
REPAIR_NEEDS_LEAVE = Text(
    "RepairNeedsLeave",
    "The repair would interrupt clients of Milvus, and the request does not allow that.",
    'See `milvus-l7 plan`, then publish the request again to repair it now, or allow it for good: "drift": '
    '{"policy": "repair", "allow_outage": true}.',
)
CERTIFICATE_EXPIRING = Text(
    "CertificateExpiring",
    "The certificate in the Secret ends within 30 days.",
    'Replace it, or allow `"drift": {"policy": "repair", "reissue_certificate": true}`; '
    "clients that pin it need the new one.",
)
