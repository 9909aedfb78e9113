{{/* What NOTES.txt warns of: values that are allowed, and that someone should know about. */}}
{{- define "snapshot-retainer.warnings" -}}
{{- $warnings := list -}}
{{- $failing := list -}}
{{- range $key := list "backups" "volumeSnapshots" "volumeSnapshotContents" "dataUploads" "dataDownloads" "snapshotAssociatedObjects" -}}
{{- if eq "Fail" (dig $key "failurePolicy" $.Values.webhook.failurePolicy $.Values.webhook.overrides) -}}
{{- $failing = append $failing $key -}}
{{- end -}}
{{- end -}}
{{- if has "volumeSnapshotContents" $failing -}}
{{- $warnings = append $warnings "failurePolicy Fail on VolumeSnapshotContents: while the webhook is away, no snapshot in this cluster can be made and Velero cannot delete old ones." -}}
{{- else if $failing -}}
{{- $warnings = append $warnings (printf "failurePolicy Fail (%s): these requests are refused while the webhook is away." (join ", " $failing)) -}}
{{- end -}}
{{- if gt (int .Values.webhook.timeoutSeconds) 10 -}}
{{- $warnings = append $warnings (printf "timeoutSeconds %v: webhooks are called one after another, and the API server gives a request 60 seconds in all." .Values.webhook.timeoutSeconds) -}}
{{- end -}}
{{- $wait := .Values.policy.waitForRoom | default "5s" -}}
{{- $timeout := dig "volumeSnapshots" "timeoutSeconds" .Values.webhook.timeoutSeconds .Values.webhook.overrides -}}
{{- if and (regexMatch "^[0-9]+s$" $wait) (gt (add 2 (trimSuffix "s" $wait | int)) (int $timeout)) -}}
{{- $warnings = append $warnings (printf "waitForRoom %s: the API server waits %v seconds for the webhook of VolumeSnapshots, so a snapshot waits for room at most %v seconds. Raise webhook.overrides.volumeSnapshots.timeoutSeconds." $wait $timeout (sub (int $timeout) 2)) -}}
{{- end -}}
{{- if not .Values.webhook.url -}}
{{- if lt (int .Values.webhook.replicas) 2 -}}
{{- $warnings = append $warnings "One replica: while it restarts or moves, new Backups and snapshots pass unlabelled. There is no PodDisruptionBudget either, which would stop every drain of its node." -}}
{{- end -}}
{{- if and .Values.webhook.hostNetwork .Values.networkPolicy.enabled -}}
{{- $warnings = append $warnings "Host network: no NetworkPolicy is rendered, since none applies to such pods." -}}
{{- end -}}
{{- if and .Values.webhook.hostNetwork (ne "0" (dig "rollingUpdate" "maxSurge" "0" .Values.webhook.strategy | toString)) -}}
{{- $warnings = append $warnings "Host network with maxSurge: a new replica needs a node whose port is free, so with as many nodes as replicas an upgrade waits for ever. Set maxSurge 0 and maxUnavailable 1." -}}
{{- end -}}
{{- if not (dig "limits" "memory" "" .Values.webhook.resources) -}}
{{- $warnings = append $warnings "No memory limit: Node chooses the size of its heap by itself." -}}
{{- end -}}
{{- end -}}
{{- if not .Values.controller.enabled -}}
{{- $warnings = append $warnings "controller.enabled is false: snapshots are labelled, and none is retained." -}}
{{- else if and (not .Values.webhook.url) (lt (int .Values.controller.replicas) 1) -}}
{{- $warnings = append $warnings "controller.replicas 0: nothing new is retained, and nothing is pruned." -}}
{{- end -}}
{{- if not .Values.policyConfigMap.create -}}
{{- $warnings = append $warnings (printf "policyConfigMap.create is false: apply the ConfigMap %s yourself; until then everything passes unchanged." (include "snapshot-retainer.policyConfigMapName" .)) -}}
{{- end -}}
{{- if and (eq .Values.certs.mode "external") (not .Values.certs.caBundle) -}}
{{- $warnings = append $warnings "certs.caBundle is empty: unless something else writes the caBundle, or the API server trusts your authority already, the webhook is never reached." -}}
{{- end -}}
{{- if not .Values.rbac.create -}}
{{- $warnings = append $warnings "rbac.create is false: the rights that the accounts need stand in the chart's README." -}}
{{- end -}}
{{- range $warnings }}
WARNING: {{ . }}
{{- end -}}
{{- end -}}
