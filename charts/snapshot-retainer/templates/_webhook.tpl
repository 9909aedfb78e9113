{{/*
A mutating webhook, but for its rules and selectors. Called with a dict: root; name; key: its name in webhook.overrides;
conditions: pairs of a condition's name and the helper that holds its expression.
reinvocationPolicy IfNeeded: a webhook behind ours may change labels after us; our patch of a patched object is empty.
*/}}
{{- define "snapshot-retainer.mutatingWebhook" -}}
{{- $values := .root.Values.webhook -}}
{{- $settings := merge (dict) (get $values.overrides .key | default dict) (pick $values "failurePolicy" "timeoutSeconds") -}}
{{- include "snapshot-retainer.webhook" (merge (dict "path" "/mutate" "more" $values.matchConditions) . $settings) }}
reinvocationPolicy: IfNeeded
{{- end -}}

{{/* What all webhooks have in common. Called with a dict as above, and path, failurePolicy, timeoutSeconds, more. */}}
{{- define "snapshot-retainer.webhook" -}}
{{- $root := .root -}}
name: {{ .name }}
admissionReviewVersions: [v1]
clientConfig:
  {{- include "snapshot-retainer.clientConfig" (list $root .path) | nindent 2 }}
failurePolicy: {{ .failurePolicy }}
timeoutSeconds: {{ .timeoutSeconds }}
matchPolicy: Equivalent
sideEffects: NoneOnDryRun
matchConditions:
  - name: not-being-deleted
    expression: {{ include "snapshot-retainer.cel.notBeingDeleted" $root | quote }}
  {{- range .conditions }}
  - name: {{ index . 0 }}
    expression: |-
      {{- include (index . 1) $root | nindent 6 }}
  {{- end }}
  {{- with .more }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/*
Where the API server finds the server. caBundle is never rendered: the server itself or cert-manager owns that field, and
two owners would undo each other's work. The exception is a bundle that the user gave.
*/}}
{{- define "snapshot-retainer.clientConfig" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.webhook.url -}}
url: {{ printf "%s%s" (trimSuffix "/" $root.Values.webhook.url) (index . 1) }}
{{- else -}}
service:
  name: {{ include "snapshot-retainer.webhookName" $root }}
  namespace: {{ include "snapshot-retainer.namespace" $root }}
  port: 443
  path: {{ index . 1 }}
{{- end }}
{{- if and (eq $root.Values.certs.mode "external") $root.Values.certs.caBundle }}
caBundle: {{ $root.Values.certs.caBundle }}
{{- end }}
{{- end -}}

{{/*
The namespaceSelector of a mutating webhook. A webhook that can stop the pods it runs in, or those of the control plane,
can keep a cluster from starting, so these two namespaces are always left out. Requirements of a selector are ANDed:
whatever the values add can only leave out more.
Called with (list $ only narrowing): only: names of namespaces to select, empty = all; narrowing: a selector of the values.
*/}}
{{- define "snapshot-retainer.namespaceSelector" -}}
{{- $root := index . 0 -}}
{{- $narrowing := index . 2 -}}
{{- with $narrowing.matchLabels -}}
matchLabels:
  {{- toYaml . | nindent 2 }}
{{ end -}}
matchExpressions:
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values:
      {{- list "kube-system" (include "snapshot-retainer.namespace" $root) | uniq | toYaml | nindent 6 }}
  {{- with index . 1 }}
  - key: kubernetes.io/metadata.name
    operator: In
    values:
      {{- toYaml . | nindent 6 }}
  {{- end }}
  {{- with $narrowing.matchExpressions }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Annotations that both webhook configurations carry, as YAML. */}}
{{- define "snapshot-retainer.webhookAnnotations" -}}
{{- $annotations := deepCopy .Values.webhook.annotations -}}
{{- if eq .Values.certs.mode "cert-manager" -}}
{{- $_ := set $annotations "cert-manager.io/inject-ca-from" (printf "%s/%s" (include "snapshot-retainer.namespace" .) (include "snapshot-retainer.webhookName" .)) -}}
{{- end -}}
{{- toYaml $annotations -}}
{{- end -}}
