"""The chart of the embedded cloud, with what real ones have besides: more kinds, a look-up, a hook."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.contract.whole_chain import CHART

_META = "metadata: {name: {{ .Release.Name }}-%s, namespace: {{ .Release.Namespace }}}"
_HOOK_META = (
    "metadata:\n  name: {{ .Release.Name }}-hook\n  namespace: {{ .Release.Namespace }}\n"
    "  annotations: {helm.sh/hook: post-upgrade, helm.sh/hook-delete-policy: before-hook-creation}"
)
_POD = "{spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}"

TEMPLATES = {
    "worker.yaml": f"""apiVersion: apps/v1
kind: Deployment
{_META % "worker"}
spec:
  replicas: {{{{ .Values.worker.replicas }}}}
  selector: {{matchLabels: {{app: worker}}}}
  template:
    metadata:
      labels: {{app: worker}}
      annotations:
        checksum/config: {{{{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}}}
    spec:
      containers:
      - name: worker
        image: worker:1
        env: [{{name: A, value: a}}, {{name: B, value: b}}]
        args: [run, worker]
""",
    "role.yaml": f"""apiVersion: rbac.authorization.k8s.io/v1
kind: Role
{_META % "reader"}
rules: [{{apiGroups: [""], resources: [pods], verbs: [get]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
{_META % "reader"}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{{{ .Release.Name }}}}-reader}}
subjects: [{{kind: ServiceAccount, name: default, namespace: {{{{ .Release.Namespace }}}}}}]
""",
    "pdb.yaml": f"""apiVersion: policy/v1
kind: PodDisruptionBudget
{_META % "store"}
spec: {{maxUnavailable: 1, selector: {{matchLabels: {{app: store}}}}}}
""",
    "store.yaml": f"""apiVersion: apps/v1
kind: StatefulSet
{_META % "store"}
spec:
  serviceName: store
  selector: {{matchLabels: {{app: store}}}}
  template:
    metadata: {{labels: {{app: store}}}}
    spec: {{containers: [{{name: store, image: 'store:1'}}]}}
""",
    "install.yaml": f"""{{{{- if .Values.worker.job }}}}
apiVersion: batch/v1
kind: Job
{_META % "init"}
spec: {{ttlSecondsAfterFinished: 0, template: {_POD}}}
{{{{- end }}}}
""",
    "found.yaml": f"""{{{{- $live := lookup "v1" "Secret" .Release.Namespace "chosen" }}}}
apiVersion: v1
kind: ConfigMap
{_META % "found"}
data: {{kind: {{{{ default "none" (dig "type" "" $live) | quote }}}}}}
""",
    "hook.yaml": "{{- if .Values.hook }}\n"
    f"apiVersion: v1\nkind: ConfigMap\n{_HOOK_META}\ndata: {{made: by-hook}}\n"
    "{{- end }}\n",
}
VALUES = "\nworker: {replicas: 1, job: true}\nhook: false\n"


def written(folder: Path, **more: str) -> Path:
    """Write the chart into a folder, with more templates."""
    chart = folder / "milvus"
    shutil.copytree(CHART, chart)
    with (chart / "values.yaml").open("a") as values:
        values.write(VALUES)
    for name, content in {**TEMPLATES, **more}.items():
        (chart / "templates" / name.replace("__", ".")).write_text(content)
    return chart
