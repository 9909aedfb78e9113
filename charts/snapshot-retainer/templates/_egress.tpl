{{/* To whom our pods talk: the API server, and whoever tells its address. */}}
{{- define "snapshot-retainer.egress" -}}
{{- with .Values.networkPolicy -}}
- ports:
    {{- range .apiServerPorts }}
    - port: {{ . }}
      protocol: TCP
    {{- end }}
  {{- with .apiServerCidrs }}
  to:
    {{- range . }}
    - ipBlock:
        cidr: {{ . | quote }}
    {{- end }}
  {{- end }}
# Names are looked up where the API server is given to pods by name (Gardener, AKS).
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- with .extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end -}}
{{- end -}}
