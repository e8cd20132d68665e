"""What must change in the values of a Milvus release, and what they were before.

Value paths are those of zilliztech/milvus-helm (`charts/milvus/values.yaml`). The chart renders
`loadBalancerIP`, `loadBalancerSourceRanges` and `nodePort` only for the Service types that take them
(`templates/service.yaml`), so those values stay as they are and count again after a tear-down.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from milvus_l7.domain.kubernetes.change import Change, Plan
from milvus_l7.domain.kubernetes.services import CLUSTER_IP
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.release import annotation_values, user_yaml
from milvus_l7.domain.setup.facts import ReleaseBefore
from milvus_l7.domain.text.excerpt import excerpt

Values = Mapping[str, Any]

SERVICE_TYPE = "service.type"
USER_YAML = "extraConfigFiles[user.yaml]"
CUSTOM_FILE = "milvus.yaml"  # in the user's own ConfigMap, mounted as user.yaml
NAME_LENGTH = 63
LONGEST_VALUE = 1024  # characters of a value that is replaced, as JSON; no service.type or tlsMode is longer


@dataclass(frozen=True, slots=True)
class ReleaseValues:
    """The values of one revision of a release."""

    target: str  # "Release <namespace>/<name>"
    revision: int
    chosen: Values  # by users
    defaults: Values  # of the chart

    @property
    def effective(self) -> Values:
        """Return what the chart's templates see."""
        return merged(self.defaults, self.chosen)


@dataclass(frozen=True, slots=True)
class ValuesPlan:
    """The values to merge over the user's (empty: nothing to do), shown as changes, and how to undo them."""

    overlay: Values
    changes: Plan
    before: ReleaseBefore


def merged(under: Values, over: Values) -> dict[str, Any]:
    """Merge values as Helm does: maps are merged, everything else is replaced, and null removes a default."""
    result = {key: value for key, value in under.items() if over.get(key, value) is not None}
    for key, value in over.items():
        below = under.get(key)
        if isinstance(value, Mapping):
            result[key] = merged(below if isinstance(below, Mapping) else {}, value)
        elif value is not None:
            result[key] = value
    return result


def overlaid(chosen: Values, overlay: Values) -> dict[str, Any]:
    """Return the user's values with ours over them; nulls that the user set stay, as they remove defaults."""
    result = dict(chosen)
    for key, value in overlay.items():
        below = chosen.get(key)
        inner = isinstance(value, Mapping) and isinstance(below, Mapping)
        result[key] = overlaid(below, value) if inner else value  # type: ignore[arg-type]
    return result


def custom_config_map(values: ReleaseValues) -> str | None:
    """Return the name of the user's own ConfigMap that Milvus' configuration is in; None: the chart's."""
    name = values.effective.get("customConfigMap")
    return str(name) if name else None


def plan(
    values: ReleaseValues, custom: str | None = None, merge: annotation_values.Merge | None = None
) -> ValuesPlan:
    """Return the way to TLS and a ClusterIP Service; empty if the release is there already.

    `custom` is what stands in the user's own ConfigMap, which is not ours to change: it must have TLS.
    `merge` tells what annotations of the Service must be, of those that the values hold (None: as they are).
    Raises `Permanent`: CUSTOM_CONFIG_MAP, RELEASE_UNREADABLE, and what `user_yaml.merge` and `merge` raise.
    """
    effective = values.effective
    overlay: dict[str, Any] = {}
    changes: list[Change] = []
    service_type = _section(effective, "service").get("type") or CLUSTER_IP
    if service_type != CLUSTER_IP:
        overlay["service"] = {"type": CLUSTER_IP}
        changes.append(Change(values.target, SERVICE_TYPE, service_type, CLUSTER_IP))
    annotations = annotation_values.merged(effective, merge) if merge else {}
    if annotations:
        overlay["service"] = {**overlay.get("service", {}), "annotations": annotations}
        there = annotation_values.held(effective)
        changes += [
            Change(values.target, annotation_values.field(key), there[key], text)
            for key, text in annotations.items()
        ]
    text = _configuration(values, custom)
    if text.changes:
        overlay["extraConfigFiles"] = {"user.yaml": text.text}
    changes += [Change(values.target, f"{USER_YAML}.{k.path}", k.before, k.after) for k in text.changes]
    _refuse_if_large(changes)
    return ValuesPlan(overlay, tuple(changes), _before(values, overlay, text))


def _configuration(values: ReleaseValues, custom: str | None) -> user_yaml.Merged:
    name = custom_config_map(values)
    if name is None:
        return user_yaml.merge(effective_user_yaml(values))
    missing = user_yaml.merge(custom or "").changes
    if missing:
        wanted = ", ".join(f"{each.path}: {each.after}" for each in missing)
        message = (
            f"{values.target} sets customConfigMap: {excerpt(name, 80)}, whose {CUSTOM_FILE} lacks {wanted}"
        )
        raise Permanent(Reason.CUSTOM_CONFIG_MAP, message)
    return user_yaml.Merged("")


def _refuse_if_large(changes: Iterable[Change]) -> None:
    """What is replaced is recorded, and a record has room for no more."""
    for each in changes:
        if len(json.dumps(each.before, default=str)) > LONGEST_VALUE:
            message = f"{each.target}: {each.field} has more than {LONGEST_VALUE} characters"
            raise Permanent(Reason.RELEASE_UNREADABLE, message)


def _before(values: ReleaseValues, overlay: Values, text: user_yaml.Merged) -> ReleaseBefore:
    """Return what the overlay replaces.

    Values that the user had not set are None; the user's own text is not kept, only our keys in it.
    """
    found: dict[str, Any] = {}
    service = _section(overlay, "service")
    if "type" in service:
        found[SERVICE_TYPE] = _section(values.chosen, "service").get("type")
    if "annotations" in service:
        theirs = _section(values.chosen, "service").get("annotations")
        own = annotation_values.held(values.chosen)
        found |= {annotation_values.field(key): own.get(key) for key in service["annotations"]}
        found |= {annotation_values.SECTION: {}} if theirs == {} else {}
    if text.changes and "user.yaml" not in _section(values.chosen, "extraConfigFiles"):
        found[USER_YAML] = None
    # A map that is empty would not be told from one that is not there.
    found |= {section: {} for section in overlay if values.chosen.get(section) == {}}
    return ReleaseBefore(values.revision, found, {change.path: change.before for change in text.changes})


def recorded(known: ReleaseBefore | None, planned: ValuesPlan) -> ReleaseBefore:
    """Return what was there before: what is about to be replaced, over what is known of what already was.

    A recorded value is replaced only by one that is not ours, as the plan changes nothing else.
    """
    before = planned.before
    if known is None:
        return before
    return replace(
        known,
        revision=before.revision if before.user_yaml else known.revision,
        values={**known.values, **before.values},
        user_yaml={**known.user_yaml, **before.user_yaml},
    )


def effective_user_yaml(values: ReleaseValues) -> str:
    """Return the `user.yaml` that the chart renders, "" for none. Raises `Permanent(USER_YAML_INVALID)`."""
    text = _section(values.effective, "extraConfigFiles").get("user.yaml")
    if text is None:
        return ""
    if not isinstance(text, str):
        raise Permanent(Reason.USER_YAML_INVALID, "extraConfigFiles.user.yaml is not a text")
    return text


def own_user_yaml(values: ReleaseValues) -> str | None:
    """Return the text that was merged into, if `values` are those before our upgrade; None if it was none."""
    try:
        return effective_user_yaml(values)
    except Permanent:
        return None


def _section(values: Values, name: str) -> Values:
    section = values.get(name)
    return section if isinstance(section, Mapping) else {}


def name_label(chart_name: str, effective: Values) -> str:
    """Return the value of `app.kubernetes.io/name` on the release's own objects.

    Source: chart template `milvus.name`.
    """
    return _cut(str(effective.get("nameOverride") or chart_name))


def fullname(release: str, chart_name: str, effective: Values) -> str:
    """Return the name of the release's Service and ConfigMap (chart template `milvus.fullname`)."""
    if effective.get("fullnameOverride"):
        return _cut(str(effective["fullnameOverride"]))
    name = str(effective.get("nameOverride") or chart_name)
    return _cut(release if name in release else f"{release}-{name}")


def _cut(name: str) -> str:
    return name[:NAME_LENGTH].removesuffix("-")
