import type { Ref } from "./api.ts";

/** Where Velero keeps its backups: nobody looks whether it is there. */
export const A_LOCATION = {
  apiVersion: "velero.io/v1",
  kind: "BackupStorageLocation",
  metadata: { name: "default", namespace: "velero" },
  spec: { provider: "aws", objectStorage: { bucket: "backups" } },
};

/** Server and node-agent as `velero install` writes them; nothing runs here but the processes of the tests. */
export function aVelero(): [Workload, Workload] {
  return [aWorkload("Deployment", "velero", "server"), aWorkload("DaemonSet", "node-agent", "node-agent")];
}

interface Workload extends Ref {
  readonly spec: object;
}

function aWorkload(kind: string, name: string, command: string): Workload {
  const labels = { deploy: name };
  const container = { name, image: "velero/velero:v1.18.3", command: ["/velero"], args: [command] };
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name, namespace: "velero" },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  };
}
