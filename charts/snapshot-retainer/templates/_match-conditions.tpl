{{/*
CEL expressions of the webhooks' matchConditions. The API server evaluates them before it calls the webhook, so requests
that we would leave alone cost nothing and cannot be held up by us.

How they are written:
- They only ever select too much, never too little: the server decides again, from the policy in force.
- An expression that throws makes the API server apply the failurePolicy without asking us. So every path that
  an object may lack is read with ".?", since admission comes before the validation of custom resources.
- In "a.?b[?key]" an absent map and an absent key are both "none", and none equals none.
- Conditions are ANDed; "request.operation != 'CREATE' || …" limits one to creations.
*/}}

{{/* The keys that only Velero's accounts and our own may write (src/kube/keys.ts; a test compares them). */}}
{{- define "snapshot-retainer.cel.reservedLabels" -}}
["velero.io/snapshot-alias-name", "velero.io/snapshot-volume-name", "snapshot-retainer.io/backup-name", "snapshot-retainer.io/retained", "snapshot-retainer.io/released"]
{{- end -}}
{{- define "snapshot-retainer.cel.reservedAnnotations" -}}
["snapshot-retainer.io/inherited", "snapshot-retainer.io/retain", "snapshot-retainer.io/limit", "snapshot-retainer.io/limit-reason", "snapshot-retainer.io/released", "snapshot-retainer.io/retained-snapshot"]
{{- end -}}
{{- define "snapshot-retainer.cel.reservedBackupAnnotations" -}}
["backup.velero.io/data-mover-snapshot-to-retain", "snapshot-retainer.io/requested-limit"]
{{- end -}}

{{/* True when the object carries one of our keys, which whoever creates it may have forged. */}}
{{- define "snapshot-retainer.cel.carriesReserved" -}}
({{ include "snapshot-retainer.cel.reservedLabels" . }}.exists(key, object.metadata.?labels[?key].hasValue()) ||
 {{ include "snapshot-retainer.cel.reservedAnnotations" . }}.exists(key, object.metadata.?annotations[?key].hasValue()))
{{- end -}}

{{/* True when an update adds, changes or removes one of our keys. */}}
{{- define "snapshot-retainer.cel.changesReserved" -}}
({{ include "snapshot-retainer.cel.reservedLabels" . }}.exists(key, object.metadata.?labels[?key] != oldObject.metadata.?labels[?key]) ||
 {{ include "snapshot-retainer.cel.reservedAnnotations" . }}.exists(key, object.metadata.?annotations[?key] != oldObject.metadata.?annotations[?key]))
{{- end -}}

{{/* A list of strings as CEL; JSON's escapes are CEL's too. */}}
{{- define "snapshot-retainer.cel.strings" -}}
{{ toJson . }}
{{- end -}}

{{/*
True when the requester may be one of the accounts. Only what stands before the first glob character is compared: the
server knows the globs, and asking it once too often is harmless.
*/}}
{{- define "snapshot-retainer.cel.userMayBe" -}}
{{- $tests := list -}}
{{- range . -}}
{{- $prefix := regexFind "^[^*?\\[\\]{}()!+@|\\\\]*" . -}}
{{- if eq $prefix . -}}
{{- $tests = append $tests (printf "request.userInfo.username == %s" (toJson .)) -}}
{{- else -}}
{{- $tests = append $tests (printf "request.userInfo.username.startsWith(%s)" (toJson $prefix)) -}}
{{- end -}}
{{- end -}}
{{- join " || " $tests -}}
{{- end -}}

{{/*
Backups. One that the sync controller brings from an object store has a phase already, and its number was decided in
the cluster that made it. A user's Backup has none; "New" is what Velero's own client may send.
*/}}
{{- define "snapshot-retainer.cel.backupCreated" -}}
request.operation != "CREATE" ||
object.?status.?phase.orValue("") in ["", "New"]
{{- end -}}
{{- define "snapshot-retainer.cel.backupUpdated" -}}
request.operation != "UPDATE" ||
{{ include "snapshot-retainer.cel.reservedBackupAnnotations" . }}.exists(key, object.metadata.?annotations[?key] != oldObject.metadata.?annotations[?key])
{{- end -}}

{{/*
VolumeSnapshots. Velero's original carries the Backup's name as a label; clones are made without any label, in Velero's
namespace, or by another data mover that the policy names. Anyone else's only matters when it carries our keys.
*/}}
{{- define "snapshot-retainer.cel.volumeSnapshotCreated" -}}
request.operation != "CREATE" ||
object.metadata.?labels[?"velero.io/backup-name"].hasValue() ||
request.namespace in {{ include "snapshot-retainer.cel.strings" .Values.policy.velero.namespaces }} ||
{{- with .Values.policy.dataMovers.accounts }}
{{ include "snapshot-retainer.cel.userMayBe" . }} ||
{{- end }}
{{ include "snapshot-retainer.cel.carriesReserved" . }}
{{- end -}}

{{/*
Velero claims the members of a VolumeGroupSnapshot late, by adding its label: that update is their creation to us. So is,
for a clone that was made before its content, the one by which the snapshot controller adds its finalizers.
*/}}
{{- define "snapshot-retainer.cel.volumeSnapshotUpdated" -}}
request.operation != "UPDATE" ||
(object.metadata.?labels[?"velero.io/backup-name"].hasValue() && !oldObject.metadata.?labels[?"velero.io/backup-name"].hasValue()) ||
(object.?spec.?source.?volumeSnapshotContentName.hasValue() && !object.metadata.?labels[?"velero.io/snapshot-alias-name"].hasValue() &&
 object.metadata.?finalizers != oldObject.metadata.?finalizers) ||
{{ include "snapshot-retainer.cel.changesReserved" . }}
{{- end -}}

{{/*
Velero deletes the snapshot of an old Backup through a content that lives for two seconds, "vsc-<uuid>", bound to the
VolumeSnapshot "ns-<uuid>/name-<uuid>", which never exists. A failed call there leaks the snapshot on the storage, so
these never reach us.
*/}}
{{- define "snapshot-retainer.cel.notTemporaryContent" -}}
!(object.metadata.?name.orValue("").startsWith("vsc-") &&
  object.?spec.?volumeSnapshotRef.?namespace.orValue("").startsWith("ns-") &&
  object.?spec.?volumeSnapshotRef.?name.orValue("").startsWith("name-"))
{{- end -}}

{{/*
VolumeSnapshotContents. With a volumeHandle it was made by the snapshot controller for a VolumeSnapshot, and
Velero's are told by that one's name. With a snapshotHandle it may be a data mover's clone, unless Velero's restore made it.
*/}}
{{- define "snapshot-retainer.cel.contentCreated" -}}
request.operation != "CREATE" ||
{{- with .Values.webhook.volumeSnapshotNamePrefixes }}
(object.?spec.?source.?volumeHandle.hasValue() && {{ include "snapshot-retainer.cel.strings" . }}.exists(prefix, object.?spec.?volumeSnapshotRef.?name.orValue("").startsWith(prefix))) ||
{{- else }}
object.?spec.?source.?volumeHandle.hasValue() ||
{{- end }}
(object.?spec.?source.?snapshotHandle.hasValue() && !object.metadata.?labels[?"velero.io/restore-name"].hasValue()) ||
{{ include "snapshot-retainer.cel.carriesReserved" . }}
{{- end -}}

{{/*
Updates of contents, DataUploads and other movers' objects: the many that only report progress pass by.
*/}}
{{- define "snapshot-retainer.cel.reservedUpdated" -}}
request.operation != "UPDATE" ||
{{ include "snapshot-retainer.cel.changesReserved" . }}
{{- end -}}

{{/*
DataDownloads, by which a restore brings a volume back. Those of other data movers are theirs, and one that we took over
is ours.
*/}}
{{- define "snapshot-retainer.cel.dataDownloadOfVelero" -}}
object.?spec.?datamover.orValue("") in ["", "velero"]
{{- end -}}

{{/* An object on its way out is left to its finalizers: nothing that we write on it would be read. */}}
{{- define "snapshot-retainer.cel.notBeingDeleted" -}}
!has(object.metadata.deletionTimestamp)
{{- end -}}

{{- define "snapshot-retainer.cel.isPolicyConfigMap" -}}
object.metadata.name == {{ include "snapshot-retainer.policyConfigMapName" . | toJson }}
{{- end -}}
