import { KubeConfig, KubernetesObjectApi, makeInformer } from "@kubernetes/client-node";
import type { KubernetesListObject, KubernetesObject } from "@kubernetes/client-node";
import { COLLECTIONS } from "./collections.ts";

/**
 * client-node's own informers, with whole objects, as its documentation has them: `informer.ts KUBECONFIG`. Prints
 * `{"objects":…}` once everything is there, and goes on until its standard input ends.
 */
const [, , kubeconfig = ""] = process.argv;
const kubeConfig = new KubeConfig();
kubeConfig.loadFromFile(kubeconfig);
const api = KubernetesObjectApi.makeApiClient(kubeConfig);

const informers = COLLECTIONS.map(({ path, apiVersion, kind }) =>
  makeInformer(kubeConfig, path, async (): Promise<KubernetesListObject<KubernetesObject>> =>
    api.list(apiVersion, kind),
  ),
);
// start() resolves when the first list is in the cache.
await Promise.all(informers.map(async (informer) => informer.start()));
const objects = informers.reduce((sum, informer) => sum + informer.list().length, 0);
process.stdout.write(`${JSON.stringify({ objects })}\n`);
process.stdin.resume().on("end", () => process.exit(0));
