{{- define "opspilot.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "opspilot.labels" -}}
app.kubernetes.io/part-of: opspilot
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/name: opspilot
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "opspilot.selector" -}}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/name: opspilot
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Its own logs are not shipped: an error of the pipeline must not feed the pipeline. */}}
{{- define "opspilot.podLabels" -}}
{{ include "opspilot.selector" . }}
app.kubernetes.io/part-of: opspilot
opspilot.logs: ignore
{{- with .root.Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "opspilot.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "opspilot.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "opspilot.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "opspilot.usesSasl" -}}
{{- if hasPrefix "SASL_" .Values.kafka.securityProtocol -}}true{{- end -}}
{{- end -}}

{{- define "opspilot.modelUrl" -}}
{{- if eq .Values.model.kind "tgi" -}}
http://{{ include "opspilot.name" . }}-tgi:8080
{{- else if eq .Values.model.kind "local" -}}
http://{{ include "opspilot.name" . }}-model:8012/v1
{{- else if eq .Values.model.kind "external" -}}
{{ required "model.external.url is needed where model.kind is external" .Values.model.external.url }}
{{- end -}}
{{- end -}}

{{/* What comes from Secrets: never from values. Takes root and the stage's own Secret, if any. */}}
{{- define "opspilot.secretEnv" -}}
{{- $kafka := .root.Values.kafka -}}
{{- if include "opspilot.usesSasl" .root }}
{{- $secret := required "kafka.sasl.secretName is needed with SASL" (.secretName | default $kafka.sasl.secretName) }}
{{- $names := ternary (list "OAUTH_CLIENT_ID" "OAUTH_CLIENT_SECRET") (list "SASL_USERNAME" "SASL_PASSWORD") (eq $kafka.sasl.mechanism "OAUTHBEARER") }}
- name: OPSPILOT_KAFKA__{{ index $names 0 }}
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: {{ $kafka.sasl.usernameKey }}}
- name: OPSPILOT_KAFKA__{{ index $names 1 }}
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: {{ $kafka.sasl.passwordKey }}}
{{- end }}
{{- end -}}

{{- define "opspilot.tlsMounts" -}}
{{- with .Values.kafka.tls.caSecretName }}
- {name: kafka-ca, mountPath: /etc/kafka/ca, readOnly: true}
{{- end }}
{{- with .Values.kafka.tls.clientSecretName }}
- {name: kafka-client, mountPath: /etc/kafka/client, readOnly: true}
{{- end }}
{{- end -}}

{{- define "opspilot.tlsVolumes" -}}
{{- with .Values.kafka.tls.caSecretName }}
- name: kafka-ca
  secret: {secretName: {{ . }}}
{{- end }}
{{- with .Values.kafka.tls.clientSecretName }}
- name: kafka-client
  secret: {secretName: {{ . }}}
{{- end }}
{{- end -}}

{{- define "opspilot.feedbackMounts" -}}
{{- if .Values.feedback.keysSecretName }}
- {name: feedback-keys, mountPath: /etc/opspilot/feedback, readOnly: true}
{{- end }}
{{- end -}}

{{- define "opspilot.feedbackVolumes" -}}
{{- with .Values.feedback.keysSecretName }}
- name: feedback-keys
  secret: {secretName: {{ . }}}
{{- end }}
{{- end -}}

{{- define "opspilot.feedbackEnv" -}}
{{- with .Values.feedback.keysSecretName }}
- {name: OPSPILOT_FEEDBACK__KEYS_FILE, value: /etc/opspilot/feedback/{{ $.Values.feedback.keysKey }}}
{{- end }}
{{- end -}}

{{/* Where the model's server and the trainer meet: the claim behind /models. */}}
{{- define "opspilot.modelsClaim" -}}
{{- if eq .Values.model.kind "tgi" -}}
{{ .Values.tgi.volume.existingClaim | default (printf "%s-tgi" (include "opspilot.name" .)) }}
{{- else if eq .Values.model.kind "local" -}}
{{ include "opspilot.name" . }}-model
{{- else -}}
{{ .Values.trainer.shared.existingClaim }}
{{- end -}}
{{- end -}}

{{- define "opspilot.dns" -}}
- to:
    - namespaceSelector: {}
      podSelector:
        matchLabels: {k8s-app: kube-dns}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end -}}
