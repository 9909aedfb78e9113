{{/* The command line of the webhook server. */}}
{{- define "snapshot-retainer.webhookArgs" -}}
{{- $fullname := include "snapshot-retainer.fullname" . -}}
{{- $namespace := include "snapshot-retainer.namespace" . -}}
{{- $service := include "snapshot-retainer.webhookName" . -}}
- webhook
- --policy-configmap={{ include "snapshot-retainer.policyConfigMapName" . }}
- --port={{ .Values.webhook.port }}
- --probe-port={{ .Values.webhook.probePort }}
{{- if eq .Values.certs.mode "self" }}
- --cert-mode=self
- --tls-secret={{ include "snapshot-retainer.tlsSecretName" . }}
- --dns-name={{ $service }}.{{ $namespace }}.svc
- --dns-name={{ $service }}.{{ $namespace }}
- --webhook-configuration={{ $fullname }}
{{- with .Values.certs.rotateEvery }}
- --rotate-every={{ . }}
{{- end }}
{{- else }}
- --cert-mode=files
- --tls-cert=/etc/snapshot-retainer/tls/tls.crt
- --tls-key=/etc/snapshot-retainer/tls/tls.key
{{- end }}
{{- with .Values.webhook.tls }}
- --tls-min-version={{ .minVersion }}
{{- with .ciphers }}
- --tls-ciphers={{ . }}
{{- end }}
{{- if .clientCaConfigMap }}
- --client-ca=/etc/snapshot-retainer/client-ca/{{ .clientCaKey }}
{{- range .clientNames }}
- --client-name={{ . }}
{{- end }}
{{- end }}
{{- end }}
- --signing-key-secret={{ include "snapshot-retainer.signingKeySecretName" . }}
- --originals-configmap={{ include "snapshot-retainer.originalsConfigMapName" . }}
- --own-account=system:serviceaccount:{{ $namespace }}:{{ include "snapshot-retainer.serviceAccountName" . }}
{{- if .Values.controller.enabled }}
- --own-account=system:serviceaccount:{{ $namespace }}:{{ include "snapshot-retainer.controllerAccountName" . }}
{{- end }}
{{- /* Without a controller the webhook retains nothing, and watches no Leases. */}}
- --controller-lease={{ .Values.controller.enabled | ternary (include "snapshot-retainer.leaseName" .) "" }}
- --drain-seconds={{ .Values.webhook.drainSeconds }}
- --log-level={{ .Values.logLevel }}
{{- with .Values.webhook.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The command line of the controller. */}}
{{- define "snapshot-retainer.controllerArgs" -}}
- controller
- --policy-configmap={{ include "snapshot-retainer.policyConfigMapName" . }}
- --probe-port={{ .Values.controller.probePort }}
- --signing-key-secret={{ include "snapshot-retainer.signingKeySecretName" . }}
- --lease={{ include "snapshot-retainer.leaseName" . }}
- --canary-every={{ ternary .Values.controller.canary.every "off" .Values.controller.canary.enabled }}
- --log-level={{ .Values.logLevel }}
{{- if .Values.controller.statusPage.enabled }}
- --status-port={{ .Values.controller.statusPage.port }}
{{- end }}
{{- with .Values.controller.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The environment of a component. Called with (list $ "webhook"). */}}
{{- define "snapshot-retainer.env" -}}
{{- $values := get (index . 0).Values (index . 1) -}}
{{- $given := dict -}}
{{- range $values.extraEnv -}}
{{- $_ := set $given .name true -}}
{{- end -}}
- name: SNAPSHOT_RETAINER_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- $heap := include "snapshot-retainer.heapMiB" . -}}
{{- $options := list -}}
{{- if $heap -}}
{{- $options = append $options (printf "--max-old-space-size=%s" $heap) -}}
{{- end -}}
{{- with $values.nodeOptions -}}
{{- $options = append $options . -}}
{{- end -}}
{{- if and $options (not (hasKey $given "NODE_OPTIONS")) }}
- name: NODE_OPTIONS
  value: {{ join " " $options | quote }}
{{- end }}
{{- with $values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
Spread constraints; those without a selector get that of the component's pods, and the replicas of the version that is
being replaced do not count. Called with (list $ component constraints).
*/}}
{{- define "snapshot-retainer.topologySpread" -}}
{{- $ours := dict "labelSelector" (dict "matchLabels" (include "snapshot-retainer.selectorLabels" . | fromYaml)) "matchLabelKeys" (list "pod-template-hash") -}}
{{- $constraints := list -}}
{{- range index . 2 -}}
{{- $constraints = append $constraints (hasKey . "labelSelector" | ternary . (merge (dict) . $ours)) -}}
{{- end -}}
{{- with $constraints -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}
