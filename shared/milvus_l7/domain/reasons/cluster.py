"""What the cluster, or the way to it, can be the reason of."""

from __future__ import annotations

from milvus_l7.domain.reasons.retry_policy import RetryPolicies
from milvus_l7.domain.reasons.text import Text

CLUSTER_NOT_FOUND = Text(
    "ClusterNotFound",
    "The GKE API knows no such cluster.",
    "Check project, location and name of the cluster in the request.",
)
CLUSTER_ACCESS_DENIED = Text(
    "ClusterAccessDenied",
    "The function's identity may not do this in the cluster.",
    "Grant the function's service account the documented roles in Google Cloud and in the cluster.",
)
CLUSTER_UNAVAILABLE = Text(
    "ClusterUnavailable",
    "The GKE or Kubernetes API did not answer, or answered that it is overloaded.",
    "Nothing to do unless it lasts; then check the cluster's control plane and network access to it.",
)
REFUSED_BY_CLUSTER = Text(
    "RefusedByCluster",
    "The Kubernetes API refused an object as invalid.",
    "The message carries the API's own words; an admission policy or an old cluster version may be why.",
)
DRY_RUN_UNSUPPORTED = Text(
    "DryRunUnsupported",
    "An admission webhook of the cluster does not support dry runs, so nothing can be planned.",
    "Let the webhook that the message names declare sideEffects: None, or not look at the release's objects.",
)
ANSWER_TOO_LARGE = Text(
    "AnswerTooLarge",
    "The Kubernetes API answered with more than is read: 8 MiB an object, 64 MiB a list.",
    "Delete what is needed no more of the objects that the message names, such as old releases' Secrets.",
)
OBJECT_NOT_OURS = Text(
    "ObjectNotOurs",
    "An object of the needed name exists and was not made by milvus-l7.",
    'Take it over with "adopt": true if it was made by hand and fits; else rename or delete it, or remove it '
    "from the chart that makes it.",
)
NOT_ADOPTABLE = Text(
    "NotAdoptable",
    "An object of the needed name was not made by milvus-l7, and does not fit to be adopted.",
    "Correct what the message names, or rename or delete the object, or remove it from what makes it.",
)
FIELD_CONFLICT = Text(
    "FieldConflict",
    "Another field manager owns a field that the setup needs with another value.",
    "Give the field the needed value where it is managed, or remove it there.",
)
OBJECT_BEING_DELETED = Text(
    "ObjectBeingDeleted",
    "An object of the needed name is being deleted.",
    "Nothing to do unless it lasts; then look at the finalizers that keep the object.",
    RetryPolicies.QUICK,
)
ANNOTATION_INVALID = Text(
    "AnnotationInvalid",
    "An annotation of the Service holds what cannot be merged into, and is not overwritten.",
    "Correct or remove the annotation that the message names; it must be a JSON object.",
)
