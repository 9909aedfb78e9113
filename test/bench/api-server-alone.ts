import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";

/** Starts a cluster and ends all of it but the API server and its etcd: whatever else runs would only take time. */
export async function startApiServer(): Promise<Cluster> {
  const cluster = await startCluster();
  for (const name of cluster.componentNames()) {
    if (name !== "etcd" && name !== "kube-apiserver") await cluster.stopComponent(name);
  }
  return cluster;
}
