"""The structure of what users publish, and the patterns of the names in it.

`docs/request.schema.json` and `docs/teardown.schema.json` are exported from these structs.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from milvus_l7.domain.setup.desired import CertificateSpec
from milvus_l7.domain.setup.maintenance_window import Day, MaintenanceWindow
from milvus_l7.domain.setup.supervision import Supervision

# Resource Manager, Project.projectId: 6 to 30 characters; before them the domain of an old domain-scoped
# project (`example.com:name`), as in terraform-provider-google `verify.ProjectRegex`.
PROJECT = r"([a-z0-9][a-z0-9.-]{0,60}[a-z0-9]:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"
# A region or zone, of at most 31 characters; the longest today are like northamerica-northeast1-a.
LOCATION = r"[a-z]{1,13}-[a-z]{1,13}[0-9]{1,2}(-[a-z])?"
# google.container.v1, Cluster.name: at most 40 characters.
CLUSTER = rf"^projects/{PROJECT}/locations/{LOCATION}/clusters/[a-z]([a-z0-9-]{{0,38}}[a-z0-9])?$"
LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"  # RFC 1123 label, as Kubernetes uses it
SUBDOMAIN = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"  # RFC 1123 subdomain: names of Secrets
# At most 53 characters, which may be dots (helm/helm `pkg/chart/common/util/validate_name.go`).
RELEASE = r"^[a-z0-9]([a-z0-9.-]{0,51}[a-z0-9])?$"
DOMAIN = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
ZONE = rf"^projects/{PROJECT}/managedZones/[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?$"
TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
TIME_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")
DOMAIN_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")

# Of a ManagedCertificate: GoogleCloudPlatform/gke-managed-certs deploy/managedcertificates-crd.yaml.
MOST_DOMAINS = 100
LONGEST_MANAGED_DOMAIN = 63
MANAGED_TOP_LABEL = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]")


ClusterName = Annotated[
    str,
    Meta(
        description="projects/PROJECT/locations/LOCATION/clusters/CLUSTER",
        extra_json_schema={"pattern": CLUSTER},
    ),
]
ReleaseName = Annotated[
    str, Meta(description="Name of the Helm release.", extra_json_schema={"pattern": RELEASE})
]
NamespaceName = Annotated[
    str, Meta(description="Namespace of the release.", extra_json_schema={"pattern": LABEL})
]


class CertificateRequest(Struct, forbid_unknown_fields=True, frozen=True, rename={"type_": "type"}):
    """Which certificate the load balancer serves."""

    type_: Annotated[Literal["self-managed", "google-managed"], Meta(description="Who issues it.")] = (
        "self-managed"
    )
    secret: (
        Annotated[
            str,
            Meta(
                description="self-managed: existing TLS Secret to use as it is.",
                extra_json_schema={"pattern": SUBDOMAIN},
            ),
        ]
        | None
    ) = None
    validity_days: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=99999,
                description="self-managed: of a certificate that we issue.",
                extra_json_schema={"default": CertificateSpec().validity_days},
            ),
        ]
        | UnsetType
    ) = UNSET
    domains: (
        Annotated[
            tuple[Annotated[str, Meta(extra_json_schema={"pattern": DOMAIN})], ...],
            Meta(
                description="google-managed: more names on the certificate, besides the domain.",
                extra_json_schema={"maxItems": MOST_DOMAINS, "default": []},
            ),
        ]
        | UnsetType
    ) = UNSET
    recreate_failed: (
        Annotated[
            bool,
            Meta(
                description="google-managed: replace a certificate that has failed permanently.",
                extra_json_schema={"default": False},
            ),
        ]
        | UnsetType
    ) = UNSET


class DnsRequest(Struct, forbid_unknown_fields=True, frozen=True):
    """Where the domains' A records may be created and updated, if they are absent or ours."""

    managed_zone: Annotated[
        str,
        Meta(description="projects/PROJECT/managedZones/ZONE", extra_json_schema={"pattern": ZONE}),
    ]


class VerificationRequest(Struct, forbid_unknown_fields=True, frozen=True):
    """How the new endpoint is verified."""

    deep: Annotated[bool, Meta(description="Also create, fill, search and drop a throw-away collection.")] = (
        False
    )


class DriftRequest(Struct, forbid_unknown_fields=True, frozen=True):
    """What drift checks may do, and how often they look."""

    policy: Annotated[
        Literal["report", "repair"], Meta(description="Only report what differs, or repair what is ours.")
    ] = "report"
    interval_s: Annotated[int, Meta(ge=60, le=86400, description="Seconds between two checks.")] = (
        Supervision().interval_s
    )
    allow_outage: Annotated[
        bool, Meta(description="With repair: also what interrupts clients, as a restart of Milvus does.")
    ] = False
    reissue_certificate: Annotated[
        bool, Meta(description="With repair: replace a certificate that we issued 30 days before it ends.")
    ] = False


class MaintenanceWindowRequest(Struct, forbid_unknown_fields=True, frozen=True):
    """When Milvus may restart; what restarts it waits for that. The names are those of GKE's own windows."""

    start_time: Annotated[
        str, Meta(description="HH:MM, by the clocks of time_zone.", extra_json_schema={"pattern": TIME})
    ]
    end_time: Annotated[
        str,
        Meta(
            description="HH:MM, 15 minutes or more after start_time; on the next day if it is earlier.",
            extra_json_schema={"pattern": TIME},
        ),
    ]
    time_zone: Annotated[str, Meta(description="IANA's name of the time zone, such as Europe/Berlin.")] = (
        MaintenanceWindow("", "").time_zone
    )
    days: (
        Annotated[
            tuple[Day, ...],
            Meta(
                description="Days on which the window begins; every day if there are none.",
                extra_json_schema={"default": []},
            ),
        ]
        | UnsetType
    ) = UNSET


class Request(Struct, forbid_unknown_fields=True, frozen=True):
    """Put this Milvus release behind a Layer-7 load balancer."""

    cluster: ClusterName
    release: ReleaseName
    domain: Annotated[
        str, Meta(description="Domain name that clients will use.", extra_json_schema={"pattern": DOMAIN})
    ]
    namespace: NamespaceName = "default"
    certificate: CertificateRequest = CertificateRequest()
    backend_timeout_s: Annotated[
        int, Meta(ge=1, le=86400, description="Seconds that one call through the load balancer may take.")
    ] = 3600
    verification: VerificationRequest = VerificationRequest()
    dns: DnsRequest | None = None
    adopt: Annotated[
        bool,
        Meta(description="Take over BackendConfig, Secret and Ingress that were made by hand and fit."),
    ] = False
    drift: DriftRequest = DriftRequest()
    paused: Annotated[bool, Meta(description="Let no stage and no drift check run until it is false.")] = (
        False
    )
    on_failure: Annotated[
        Literal["keep", "restore"],
        Meta(description="If the first set-up fails: keep what is there, or restore the release as it was."),
    ] = "keep"
    maintenance_window: MaintenanceWindowRequest | None = None
    dry_run: Annotated[bool, Meta(description="Only plan: list every change, write nothing.")] = False
    schema_version: Annotated[int, Meta(description="1")] = 1


class TearDownRequest(Struct, forbid_unknown_fields=True, frozen=True):
    """Take the Layer-7 load balancer of this Milvus release away again."""

    cluster: ClusterName
    release: ReleaseName
    namespace: NamespaceName = "default"
    restore_l4: Annotated[
        bool, Meta(description="Also restore the release's Service type and plaintext, in one upgrade.")
    ] = False
    schema_version: Annotated[int, Meta(description="1")] = 1
