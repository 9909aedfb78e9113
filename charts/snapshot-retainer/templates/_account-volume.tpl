{{/*
A volume with what automounting would mount, but only in the pod that asks for it. 3607 seconds is what the kubelet's
own projection asks for.
*/}}
{{- define "snapshot-retainer.accountVolume" -}}
name: account
projected:
  sources:
    - serviceAccountToken:
        path: token
        expirationSeconds: 3607
    - configMap:
        name: kube-root-ca.crt
        items:
          - key: ca.crt
            path: ca.crt
    - downwardAPI:
        items:
          - path: namespace
            fieldRef:
              fieldPath: metadata.namespace
{{- end -}}
