import { veleroAccount, type Manifest } from "./objects.ts";

/** Where one Velero lives and stores. */
export interface VeleroPlace {
  readonly namespace: string;
  readonly storage: VeleroStorage;
  /** How many volumes a node copies at the same time; others wait in the phase Prepared. */
  readonly movementsAtOnce: number;
}

/** A place in an S3 server. */
export interface VeleroStorage {
  /** Address of the S3 server. */
  readonly url: string;
  /** Several installations share a bucket, each under a prefix of its own. */
  readonly prefix: string;
}

/** What `velero install` makes, as far as it is looked at where no container runs. */
export function installationObjects({ namespace, storage, movementsAtOnce }: VeleroPlace): Manifest[] {
  return [
    ...veleroAccount(namespace),
    storageLocation(namespace, storage),
    deployment(namespace),
    nodeAgent(namespace),
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: NODE_AGENT_CONFIG, namespace },
      data: { "config.json": JSON.stringify({ loadConcurrency: { globalConfig: movementsAtOnce } }) },
    },
  ];
}

/** Name of the ConfigMap that node-agent is told to read. */
export const NODE_AGENT_CONFIG = "node-agent-config";

/** The bucket that the S3 server begins with. */
export const BUCKET = "velero";

const IMAGE = "velero/velero:v1.18.3";

function storageLocation(namespace: string, { url, prefix }: VeleroStorage): Manifest {
  return {
    apiVersion: "velero.io/v1",
    kind: "BackupStorageLocation",
    metadata: { name: "default", namespace },
    spec: {
      provider: "aws",
      default: true,
      objectStorage: { bucket: BUCKET, prefix },
      // Without checksums the AWS library signs requests as every S3 server understands them.
      config: { region: "minio", s3ForcePathStyle: "true", s3Url: url, checksumAlgorithm: "" },
    },
  };
}

// Restores look whether it is there; what it would run is a process of ours.
function deployment(namespace: string): Manifest {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "velero", namespace, labels: { component: "velero" } },
    spec: {
      replicas: 0,
      selector: { matchLabels: { deploy: "velero" } },
      template: podTemplate({ deploy: "velero" }, "velero"),
    },
  };
}

// Data mover Pods are copied from its template, and its Pod has to be running on the node.
function nodeAgent(namespace: string): Manifest {
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "node-agent", namespace, labels: { component: "velero" } },
    spec: {
      selector: { matchLabels: { name: "node-agent" } },
      template: podTemplate({ name: "node-agent", role: "node-agent" }, "node-agent"),
    },
  };
}

function podTemplate(labels: Readonly<Record<string, string>>, container: string): object {
  return {
    metadata: { labels },
    spec: { serviceAccountName: "velero", containers: [{ name: container, image: IMAGE }] },
  };
}
