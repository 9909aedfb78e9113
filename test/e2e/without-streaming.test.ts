import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { ACME_IN_ITS_NAMESPACE } from "../builders/policy.ts";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { createApi } from "./api.ts";
import type { Api } from "./api.ts";
import { backUp, createVolume } from "./controller-scene.ts";
import { ACCOUNT, CONTROLLER_ACCOUNT, installProduct } from "./product.ts";
import type { Product } from "./product.ts";

const { binaries, skip } = await availableBinaries("demo");
const POLICY = {
  snapshotsToRetain: 2,
  ceilings: { drivers: { "array.csi.snapshot-retainer.io": 10 } },
  snapshotAssociatedObjects: [ACME_IN_ITS_NAMESPACE],
};

describe(
  "an API server that does not send what is there as a watch (before Kubernetes 1.34)",
  { skip, timeout: 180_000 },
  () => {
    let cluster: Cluster;
    let api: Api;
    let product: Product;

    before(async () => {
      const apiServerFlags = ["--feature-gates=WatchList=false"];
      cluster = await startCluster({ ...(binaries && { binaries }), apiServerFlags });
      api = await createApi(cluster);
      for (const name of ["shop", "acme-mover"]) {
        await api.create({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
      }
      product = await installProduct(cluster, { policy: POLICY });
      await (await product.startController()).ready();
    });
    after(async () => {
      await product.stop();
      await cluster.stop();
    });

    /** Collections that an account read page by page. */
    async function listedBy(account: string): Promise<Set<string>> {
      const lines = (await readFile(cluster.auditLog, "utf8")).split("\n");
      const lists = lines.filter(
        (line) => line.includes('"verb":"list"') && line.includes(`"username":"${account}"`),
      );
      return new Set(
        lists.map((line) => /"resource":"(\w+)"/.exec(line)?.[1] ?? "").filter((resource) => resource !== ""),
      );
    }

    test("webhook and controller read its collections page by page, and a snapshot is retained", async () => {
      await backUp(api, await createVolume(api, "data"), "first");
      assert.ok((await listedBy(CONTROLLER_ACCOUNT)).has("volumesnapshotcontents"));
      assert.ok((await listedBy(ACCOUNT)).has("volumesnapshotcontents"));
    });
  },
);
