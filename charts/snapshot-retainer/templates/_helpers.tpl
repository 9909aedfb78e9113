{{/* Names, labels and images. Helpers that take a component are called with (list $ "webhook"). */}}

{{- define "snapshot-retainer.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* The base name of every object: 50 characters, so that the longest suffix still fits into a label of 63. */}}
{{- define "snapshot-retainer.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "snapshot-retainer.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "snapshot-retainer.webhookName" -}}
{{- printf "%s-webhook" (include "snapshot-retainer.fullname" .) -}}
{{- end -}}

{{- define "snapshot-retainer.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "snapshot-retainer.webhookName" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "snapshot-retainer.controllerName" -}}
{{- printf "%s-controller" (include "snapshot-retainer.fullname" .) -}}
{{- end -}}

{{- define "snapshot-retainer.controllerAccountName" -}}
{{- with .Values.controller.serviceAccount -}}
{{- if .create -}}
{{- default (include "snapshot-retainer.controllerName" $) .name -}}
{{- else -}}
{{- default "default" .name -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "snapshot-retainer.policyConfigMapName" -}}
{{- default (printf "%s-policy" (include "snapshot-retainer.fullname" .)) .Values.policyConfigMap.name -}}
{{- end -}}

{{- define "snapshot-retainer.tlsSecretName" -}}
{{- default (printf "%s-tls" (include "snapshot-retainer.fullname" .)) .Values.certs.secretName -}}
{{- end -}}

{{/* Objects that the webhook server itself creates; the roles grant access to exactly these names. */}}
{{- define "snapshot-retainer.signingKeySecretName" -}}
{{- printf "%s-signing-key" (include "snapshot-retainer.fullname" .) -}}
{{- end -}}
{{- define "snapshot-retainer.originalsConfigMapName" -}}
{{- printf "%s-originals" (include "snapshot-retainer.fullname" .) -}}
{{- end -}}

{{/* The Lease that the controllers elect their leader by, and that tells the webhook whether one is alive. */}}
{{- define "snapshot-retainer.leaseName" -}}
{{- include "snapshot-retainer.controllerName" . -}}
{{- end -}}

{{/* The part of the labels that selectors use. They are immutable, so nothing in here may ever change. */}}
{{- define "snapshot-retainer.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "snapshot-retainer.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/*
Labels of pods. Nothing in them changes with the chart's version, so an upgrade that leaves the pods alone restarts none.
velero.io/exclude-from-backup: Velero restores whatever it finds in a namespace; replicas, roles and above all webhook
configurations of another cluster, with another cluster's caBundle, must not come back from a backup. Helm installs them.
*/}}
{{- define "snapshot-retainer.podLabels" -}}
{{- $root := index . 0 -}}
{{- $ours := include "snapshot-retainer.selectorLabels" . | fromYaml -}}
{{- $ours = merge $ours (dict "app.kubernetes.io/part-of" "snapshot-retainer" "velero.io/exclude-from-backup" "true") -}}
{{- $theirs := dict -}}
{{- with get $root.Values (index . 1) -}}
{{- $theirs = .podLabels -}}
{{- end -}}
{{- merge $ours $theirs $root.Values.commonLabels | toYaml -}}
{{- end -}}

{{/* Labels of objects. Ours win over commonLabels. */}}
{{- define "snapshot-retainer.labels" -}}
{{- $root := index . 0 -}}
{{- $ours := include "snapshot-retainer.selectorLabels" . | fromYaml -}}
{{- $ours = merge $ours (dict
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" ($root.Chart.AppVersion | replace "+" "_" | trunc 63)
  "app.kubernetes.io/part-of" "snapshot-retainer"
  "app.kubernetes.io/managed-by" $root.Release.Service
  "velero.io/exclude-from-backup" "true"
) -}}
{{- merge $ours $root.Values.commonLabels | toYaml -}}
{{- end -}}

{{/* The "annotations:" block of an object, or nothing. Called with (list $ annotations…); earlier ones win. */}}
{{- define "snapshot-retainer.annotations" -}}
{{- $root := index . 0 -}}
{{- $annotations := dict -}}
{{- range rest . -}}
{{- $annotations = merge $annotations . -}}
{{- end -}}
{{- $annotations = merge $annotations $root.Values.commonAnnotations -}}
{{- with $annotations -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- define "snapshot-retainer.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry -}}
{{- $name := .Values.image.repository -}}
{{- if $registry -}}
{{- $name = printf "%s/%s" $registry .Values.image.repository -}}
{{- end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The "imagePullSecrets:" block of a pod, or nothing. */}}
{{- define "snapshot-retainer.imagePullSecrets" -}}
{{- with concat .Values.global.imagePullSecrets .Values.imagePullSecrets | uniq -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}
