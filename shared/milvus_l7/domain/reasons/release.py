"""What the Helm release can be the reason of."""

from __future__ import annotations

from milvus_l7.domain.reasons.retry_policy import RetryPolicies
from milvus_l7.domain.reasons.text import Text

RELEASE_NOT_FOUND = Text(
    "ReleaseNotFound",
    "The namespace has no Helm release of that name.",
    "Check release and namespace in the request; the message lists the releases that are there.",
)
RELEASE_NOT_MILVUS = Text(
    "ReleaseNotMilvus",
    "The release is not one of the chart milvus.",
    "Name the Milvus release in the request; one whose chart only contains milvus is not supported.",
)
CHART_WITHOUT_TLS = Text(
    "ChartWithoutTls",
    "What the release's chart renders cannot carry TLS: Milvus would never see its configuration.",
    "Upgrade the release to a chart that mounts user.yaml (4.0 or later), then publish the request again.",
)
RELEASE_BUSY = Text(
    "ReleaseBusy",
    "Another Helm operation on the release is in progress.",
    "Wait until it ends; one that was killed is rolled back after ten minutes.",
    RetryPolicies.QUICK,
)
RELEASE_ROLLED_BACK = Text(
    "ReleaseRolledBack",
    "A Helm operation on the release was interrupted, and has just been rolled back.",
    "Nothing to do; the next attempt goes on from there.",
    RetryPolicies.QUICK,
)
RELEASE_NOT_DEPLOYED = Text(
    "ReleaseNotDeployed",
    "The release has no deployed revision to build on.",
    "Bring the release to status deployed with helm, then publish the request again.",
)
RELEASE_UNREADABLE = Text(
    "ReleaseUnreadable",
    "The cluster's record of the release is not one that Helm wrote.",
    "Check the Secret that the message names; restore or delete it.",
)
HELM_FAILED = Text(
    "HelmFailed",
    "Helm could not upgrade the release.",
    "The message carries Helm's own words; the release is at its last good revision.",
)
UPGRADE_NOT_CONTAINED = Text(
    "UpgradeNotContained",
    "Upgrading the stored chart would change or delete more than TLS and the Service type.",
    "Upgrade the release with its original chart and the values that the message names.",
)
CHART_OUT_OF_BOUNDS = Text(
    "ChartOutOfBounds",
    "The stored chart reads or writes what is not in the release's own namespace.",
    "Take what the message names out of the chart; a chart has our rights in its own namespace only.",
)
CHART_TOO_EXPENSIVE = Text(
    "ChartTooExpensive",
    "Rendering the stored chart takes more than 60 s, 256 MiB of memory, or 16 MiB of output.",
    "Look for loops in the chart's templates; the message says which limit was met.",
)
CUSTOM_CONFIG_MAP = Text(
    "CustomConfigMap",
    "The release sets customConfigMap, and that ConfigMap, which is not ours to change, has no TLS.",
    "Set what the message names in its milvus.yaml and restart Milvus, or unset customConfigMap.",
)
MUTUAL_TLS = Text(
    "MutualTls",
    "Milvus asks for client certificates (tlsMode 2), which a GKE load balancer cannot present.",
    "Set common.security.tlsMode to 1 or remove it.",
)
USER_YAML_INVALID = Text(
    "UserYamlInvalid",
    "extraConfigFiles.user.yaml of the release cannot be merged into.",
    "Correct user.yaml in the release's values: it must be a YAML mapping of mappings.",
)
REST_SHARES_PORT = Text(
    "RestSharesPort",
    "user.yaml puts Milvus' REST server on the gRPC port; Milvus refuses to start with TLS then.",
    "Set proxy.http.port to another port, or proxy.http.enabled to false, or remove both.",
)
SERVICE_NOT_FOUND = Text(
    "ServiceNotFound",
    "The release has no Service for Milvus.",
    "Enable the proxy (or standalone) Service in the release's values.",
)
SERVICE_PORT_NOT_FOUND = Text(
    "ServicePortNotFound",
    "The release's Service has no port for Milvus' gRPC.",
    "Check service.port and service.portName in the release's values.",
)
ROLLOUT_IN_PROGRESS = Text(
    "RolloutInProgress",
    "Pods with the new configuration are not all ready yet.",
    "Nothing to do; look at the Pods if it lasts.",
    RetryPolicies.QUICK,
)
PODS_CRASHING = Text(
    "PodsCrashing",
    "Pods with the new configuration crash.",
    "Read the Pod's log; the message names the Pod and why its container ended.",
    RetryPolicies.QUICK,
)
OUTSIDE_MAINTENANCE_WINDOW = Text(
    "OutsideMaintenanceWindow",
    "What is to be done restarts Milvus, and the maintenance window of the request is not open.",
    "Nothing to do: it begins with the window that the message names. To begin at once, publish the request "
    "without maintenance_window, or with another one.",
    RetryPolicies.SCHEDULED,
)
