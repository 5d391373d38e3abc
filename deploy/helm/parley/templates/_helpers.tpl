{{- define "parley.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "parley.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* Labels of the server's pods, and of nothing else. */}}
{{- define "parley.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end -}}

{{- define "parley.image" -}}
{{- printf "%s:%s" (required "image.repository is required: push the image built with the Dockerfile" .Values.image.repository) (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}

{{- define "parley.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "parley.fullname" .) "default") -}}
{{- end -}}

{{- define "parley.secretName" -}}
{{- .Values.existingSecret | default (include "parley.fullname" .) -}}
{{- end -}}

{{/* A value of config as text. Helm reads whole numbers as floating point. */}}
{{- define "parley.setting" -}}
{{- if kindIs "float64" . -}}{{- . | toJson -}}
{{- else if or (kindIs "map" .) (kindIs "slice" .) -}}{{- . | toJson -}}
{{- else if not (kindIs "invalid" .) -}}{{- . | toString -}}
{{- end -}}
{{- end -}}

{{/* Seconds from SIGTERM to SIGKILL: the delay, the grace period, and the 9 s that remaining work may take. */}}
{{- define "parley.terminationGracePeriodSeconds" -}}
{{- $delay := include "parley.setting" .Values.config.SHUTDOWN_DELAY_S | default "5" -}}
{{- $grace := include "parley.setting" .Values.config.SHUTDOWN_GRACE_S | default "30" -}}
{{- addf $delay $grace 15 | ceil | int64 -}}
{{- end -}}

{{- define "parley.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "parley.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* Fails for values with which Parley would not run as it should. */}}
{{- define "parley.checkValues" -}}
{{- $severalPods := or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1) -}}
{{- $_ := required "config.PUBLIC_URL is required: https://host" .Values.config.PUBLIC_URL -}}
{{- $files := required "config.FILES_URL is required: s3://bucket/prefix?region=…" .Values.config.FILES_URL -}}
{{- if and (hasPrefix "file:" $files) (not .Values.extraVolumes) -}}
{{- fail "config.FILES_URL is a folder: mount a volume that all pods share there with extraVolumes and extraVolumeMounts, or use s3://" -}}
{{- end -}}
{{- if .Values.existingSecret -}}
{{- if .Values.secrets -}}
{{- fail "secrets and existingSecret exclude each other: put all secrets into the existing Secret" -}}
{{- end -}}
{{- else -}}
{{- range $name := list "DATABASE_URL" "JWT_SECRETS" "ENCRYPTION_KEYS" -}}
{{- $_ := required (printf "secrets.%s is required, or existingSecret" $name) (get $.Values.secrets $name) -}}
{{- end -}}
{{- if hasPrefix "sqlite:" .Values.secrets.DATABASE_URL -}}
{{- fail "secrets.DATABASE_URL is SQLite: pods keep no files, use mysql://user:password@host:port/database" -}}
{{- end -}}
{{- if $severalPods -}}
{{- $_ := required "secrets.REDIS_URL is required for several pods" .Values.secrets.REDIS_URL -}}
{{- end -}}
{{- end -}}
{{- end -}}
