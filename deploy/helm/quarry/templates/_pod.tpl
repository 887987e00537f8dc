{{- /* One quarryd with one service: a dict of root, kind, one (its values), cpu, delay (seconds). */ -}}
{{- define "quarry.container" -}}
- name: quarryd
  image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}"
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args: ["--services", {{ .kind | quote }}]
  ports: [{containerPort: {{ .one.port }}}]
  envFrom: [{configMapRef: {name: {{ .root.Release.Name }}}}]
  env: [{name: CATALOG_URL, valueFrom: {secretKeyRef: {name: {{ .root.Values.catalog.secret }}, key: {{ .root.Values.catalog.key }}}}}]
  readinessProbe: {httpGet: {path: /ready, port: {{ .one.port }}}, periodSeconds: 5}
  livenessProbe: {httpGet: {path: /health, port: {{ .one.port }}}, initialDelaySeconds: {{ .delay }}, periodSeconds: 10, failureThreshold: 6}
  resources: {requests: {cpu: {{ .cpu }}, memory: 32Mi}, limits: {memory: {{ .one.memory }}}}
  securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
  volumeMounts: [{name: auth, mountPath: {{ .root.Values.settings.AUTH_PATH }}}, {name: data, mountPath: {{ .root.Values.settings.DATA_PATH }}}]
{{- end -}}

{{- define "quarry.labels" -}}
app: {{ .one.name }}, app.kubernetes.io/part-of: quarry, app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}
