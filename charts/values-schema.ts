import { z } from "zod";
import { RetentionPolicy } from "../src/policy/schema.ts";

/** An object of ours: unknown keys are errors, and every key may be left out, since the chart has defaults. */
function section(shape: z.ZodRawShape): z.ZodType {
  return z.strictObject(shape).partial();
}

/** An object whose shape is Kubernetes' business. */
const Anything = z.record(z.string(), z.unknown());
const Things = z.array(Anything);
const Texts = z.record(z.string(), z.string());
const Named = z.array(z.looseObject({ name: z.string().min(1) }));

const ObjectName = z.string().regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$/);
const NamespaceName = z
  .string()
  .regex(/^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$/)
  .max(63);
const Port = z.int().min(1).max(65_535);
const Count = z.int().min(0);
const Duration = z.string().regex(/^([0-9]+(h|m|s))+$/);
const CountOrPercentage = z.union([Count, z.string().regex(/^[0-9]+%$/)]).nullable();

const FailurePolicy = z.enum(["Ignore", "Fail"]);
// From more than the server's own deadline (src/server/admission.ts) to what the API server allows.
const TimeoutSeconds = z.int().min(4).max(30);
const Override = section({ failurePolicy: FailurePolicy, timeoutSeconds: TimeoutSeconds });

const Image = section({
  registry: z.string(),
  repository: z.string().min(1),
  tag: z.string().regex(/^([A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$/),
  digest: z.string().regex(/^(sha256:[0-9a-f]{64})?$/),
  pullPolicy: z.enum(["Always", "IfNotPresent", "Never"]),
});

const Registration = {
  // What the API server itself demands of clientConfig.url: https, a host, neither user nor query nor fragment.
  url: z.string().regex(/^(https:\/\/[^/?#@\s]+(\/[^?#\s]*)?)?$/),
  failurePolicy: FailurePolicy,
  timeoutSeconds: TimeoutSeconds,
  overrides: section({
    backups: Override,
    volumeSnapshots: Override,
    volumeSnapshotContents: Override,
    dataUploads: Override,
    dataDownloads: Override,
    snapshotAssociatedObjects: Override,
  }),
  namespaceSelector: section({ matchLabels: Texts, matchExpressions: Things }),
  // The API server allows 64 conditions, and the chart has up to four of its own.
  matchConditions: z
    .array(z.strictObject({ name: z.string().min(1), expression: z.string().min(1) }))
    .max(60),
  volumeSnapshotNamePrefixes: z.array(z.string().min(1)),
  annotations: Texts,
  labels: Texts,
};

/** What any Deployment of ours takes. */
const Pods = {
  replicas: Count,
  probePort: Port,
  terminationGracePeriodSeconds: Count,
  strategy: Anything,
  revisionHistoryLimit: Count,
  resources: Anything,
  nodeOptions: z.string(),
  podSecurityContext: Anything,
  securityContext: Anything,
  podAnnotations: Texts,
  podLabels: Texts,
  nodeSelector: Texts,
  tolerations: Things,
  affinity: Anything,
  topologySpreadConstraints: Things,
  priorityClassName: z.string(),
  runtimeClassName: z.string(),
  extraArgs: z.array(z.string()),
  extraEnv: Named,
  podDisruptionBudget: section({
    enabled: z.boolean(),
    maxUnavailable: CountOrPercentage,
    minAvailable: CountOrPercentage,
    unhealthyPodEvictionPolicy: z.enum(["AlwaysAllow", "IfHealthyBudget"]),
  }),
};

const Server = {
  ...Pods,
  port: Port,
  tls: section({
    minVersion: z.enum(["TLSv1.2", "TLSv1.3"]),
    ciphers: z.string().regex(/^[A-Za-z0-9_:+!@=-]*$/),
    clientCaConfigMap: ObjectName,
    clientCaKey: z.string().regex(/^[-._a-zA-Z0-9]+$/),
    clientNames: z.array(z.string().regex(/^[^,\s]+$/)),
  }),
  drainSeconds: Count,
  hostNetwork: z.boolean(),
  dnsPolicy: z.enum(["", "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]),
  extraVolumes: Named,
  extraVolumeMounts: Named,
  service: section({
    annotations: Texts,
    ipFamilyPolicy: z.enum(["", "SingleStack", "PreferDualStack", "RequireDualStack"]),
    ipFamilies: z.array(z.enum(["IPv4", "IPv6"])).max(2),
  }),
};

const Account = section({ create: z.boolean(), name: ObjectName, annotations: Texts });

const Certs = section({
  mode: z.enum(["self", "cert-manager", "external"]),
  rotateEvery: z.string().regex(/^([0-9]+(d|h|m|s))*$/),
  secretName: ObjectName,
  caBundle: z.string().regex(/^[A-Za-z0-9+/]*=*$/),
  certManager: section({
    issuerRef: section({ name: z.string(), kind: z.string(), group: z.string() }),
    duration: Duration,
    renewBefore: Duration,
  }),
});

const Metrics = section({
  serviceMonitor: section({
    enabled: z.boolean(),
    labels: Texts,
    interval: Duration,
    relabelings: Things,
    metricRelabelings: Things,
  }),
  prometheusRule: section({
    enabled: z.boolean(),
    labels: Texts,
    alertLabels: Texts,
    certificateExpiryDays: z.int().min(1),
    caExpiryDays: z.int().min(1),
    runbookUrl: z.string(),
    extraRules: Things,
  }),
  grafanaDashboard: section({
    enabled: z.boolean(),
    namespace: NamespaceName,
    labels: Texts,
    annotations: Texts,
  }),
});

/** The values of the chart. Its keys are those of values.yaml, where each is explained. */
export const Values = section({
  enabled: z.boolean().describe("Not read: for parent charts that switch this one by a condition."),
  global: z.looseObject({ imageRegistry: z.string(), imagePullSecrets: Named }).partial(),
  nameOverride: ObjectName,
  fullnameOverride: ObjectName,
  namespaceOverride: NamespaceName,
  commonLabels: Texts,
  commonAnnotations: Texts,
  image: Image,
  imagePullSecrets: Named,
  logLevel: z.enum(["trace", "debug", "info", "warn", "error", "fatal"]),
  serviceAccount: Account,
  rbac: section({ create: z.boolean() }),
  policy: RetentionPolicy.omit({ apiVersion: true, kind: true }),
  policyConfigMap: section({ create: z.boolean(), name: ObjectName }),
  webhook: section({ ...Registration, ...Server }),
  controller: section({
    enabled: z.boolean(),
    canary: section({ enabled: z.boolean(), every: Duration }),
    statusPage: section({ enabled: z.boolean(), port: z.int().min(1).max(65_535) }),
    serviceAccount: Account,
    ...Pods,
  }),
  certs: Certs,
  networkPolicy: section({
    enabled: z.boolean(),
    webhookFrom: Things,
    metricsFrom: Things,
    apiServerPorts: z.array(Port).min(1),
    apiServerCidrs: z.array(z.string()),
    extraEgress: Things,
  }),
  metrics: Metrics,
  tests: section({ enabled: z.boolean() }),
  extraObjects: z.array(z.union([z.string(), Anything])),
});
