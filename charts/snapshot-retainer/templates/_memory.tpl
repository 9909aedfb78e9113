{{/*
The heap of Node in MiB for a memory limit such as 256Mi; nothing when there is no limit. Called with (list $ "webhook").

What a Node process holds beside its old space: about 50 MiB of program, libraries and V8's own structures, up to 48 MiB of
young generation (3 semi-spaces of 16 MiB) and the buffers of requests under way (at most 7 MiB each). So the limit less
96 MiB, or less a quarter of it where that is more. Left to itself V8 chooses by rules of its own that differ between versions of
Node: too small a heap wastes time collecting, too large a one has the kernel kill the process before V8 collects in earnest.
*/}}
{{- define "snapshot-retainer.heapMiB" -}}
{{- $component := index . 1 -}}
{{- $limit := dig "limits" "memory" "" (get (index . 0).Values $component).resources -}}
{{- if $limit -}}
{{- $mib := include "snapshot-retainer.toMiB" (list $component $limit) | int64 -}}
{{- $heap := sub $mib (max 96 (div $mib 4)) -}}
{{- if lt $heap 64 -}}
{{- fail (printf "%s.resources.limits.memory: %v leaves Node a heap of %d MiB; the least is 160Mi" $component $limit $heap) -}}
{{- end -}}
{{- $heap -}}
{{- end -}}
{{- end -}}

{{/* A Kubernetes quantity of memory, in whole MiB. Called with (list component quantity). */}}
{{- define "snapshot-retainer.toMiB" -}}
{{- $quantity := index . 1 -}}
{{- $text := toString $quantity -}}
{{- if kindIs "float64" $quantity -}}
{{- $text = printf "%.0f" $quantity -}}
{{- end -}}
{{- $factors := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $unit := regexFind "[A-Za-z]*$" $text -}}
{{- if not (and (regexMatch "^[0-9]+([.][0-9]+)?[A-Za-z]*$" $text) (hasKey $factors $unit)) -}}
{{- fail (printf "%s.resources.limits.memory: %q is not understood; write it such as 256Mi or 1Gi" (index . 0) $text) -}}
{{- end -}}
{{- divf (mulf (regexFind "^[0-9.]+" $text | float64) (get $factors $unit | float64)) 1048576 | floor | int64 -}}
{{- end -}}
