"""What the certificate can be the reason of."""

from __future__ import annotations

from milvus_l7.domain.reasons.retry_policy import RetryPolicies
from milvus_l7.domain.reasons.text import Text

SECRET_NOT_OURS = Text(
    "SecretNotOurs",
    "The TLS Secret exists and was not made by milvus-l7.",
    'Use it with "adopt": true, or with "certificate": {"type": "self-managed", "secret": "<name>"}; '
    "or rename or delete it.",
)
SECRET_NOT_FOUND = Text(
    "SecretNotFound",
    "The TLS Secret that the request names does not exist.",
    "Create the Secret in the release's namespace, or leave certificate.secret out.",
)
CERTIFICATE_INVALID = Text(
    "CertificateInvalid",
    "The TLS Secret does not hold a certificate and key that fit each other, the domain and the date.",
    "Put a fitting pair into the Secret; the message says what does not fit.",
)
CERTIFICATE_PROVISIONING = Text(
    "CertificateProvisioning",
    "Google is issuing the certificate.",
    "Nothing to do; it usually takes 10 to 60 minutes once DNS leads to the load balancer, and GKE reports "
    "it up to ten minutes later.",
    RetryPolicies.ISSUING,
)
CERTIFICATE_NOT_ATTACHED = Text(
    "CertificateNotAttached",
    "The ManagedCertificate is not attached to the load balancer.",
    "Nothing to do at first: GKE looks every ten minutes. If it lasts, look at the events of the Ingress and "
    "the ManagedCertificate. When it has failed, publish again.",
    RetryPolicies.QUICK,
)
CERTIFICATE_REFUSED = Text(
    "CertificateRefused",
    "Compute Engine refuses to make the ManagedCertificate's certificate.",
    "The message carries Google's own words; correct what it names, and GKE tries again by itself.",
    RetryPolicies.HUMAN,
)
CAA_FORBIDS = Text(
    "CaaForbids",
    "CAA records of the domain, or of a parent of it, forbid Google to have a certificate issued.",
    'Add the CAA records `0 issue "pki.goog"` and `0 issue "letsencrypt.org"` where the message says.',
    RetryPolicies.HUMAN,
)
CERTIFICATE_RATE_LIMITED = Text(
    "CertificateRateLimited",
    "The certificate authority has limited the rate at which it issues for the domain.",
    "Wait: Google tries again. Do not recreate the certificate: a new one counts against the same limit.",
    RetryPolicies.HUMAN,
)
CERTIFICATE_FAILED_PERMANENTLY = Text(
    "CertificateFailedPermanently",
    "Google has given up issuing the certificate and does not try again.",
    'Correct what the message names, then publish the request with "recreate_failed": true.',
)
CERTIFICATE_RENEWAL_FAILED = Text(
    "CertificateRenewalFailed",
    "Google could not renew the certificate; the old one is served until it expires.",
    "Correct what the message names (DNS or CAA); Google tries again.",
    RetryPolicies.HUMAN,
)
MANAGED_CERTIFICATE_GONE = Text(
    "ManagedCertificateGone",
    "The setup's ManagedCertificate no longer exists, or names other domains than the setup.",
    "Publish the request again; a new ManagedCertificate is made and attached.",
)
RETIRING_CERTIFICATE = Text(
    "RetiringCertificate",
    "The wanted certificate is served, and the one that it replaces is being detached.",
    "Nothing to do; the end point is verified once more without the old certificate.",
    RetryPolicies.QUICK,
)
