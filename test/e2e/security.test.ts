import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as z from "zod";
import { render } from "../chart/chart.ts";
import { createApiClient } from "../cluster/api-client.ts";
import type { ApiClient } from "../cluster/api-client.ts";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { tokenIn } from "../cluster/identity.ts";
import { covers, rightsOf } from "../rbac/rights.ts";
import type { Right } from "../rbac/rights.ts";
import { createApi } from "./api.ts";
import type { Api } from "./api.ts";
import { eventually } from "./eventually.ts";
import { aBackup } from "./objects.ts";
import { installProduct, NAMESPACE, POLICY_CONFIGMAP } from "./product.ts";
import type { Product } from "./product.ts";
import { VELERO } from "./velero.ts";

const { binaries, skip } = await availableBinaries("demo");
const LIMIT = "backup.velero.io/data-mover-snapshot-to-retain";

const Review = z.object({ status: z.object({ allowed: z.boolean() }) });

const VERBS = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
/** Those that make one account into another, by resource. */
const ESCALATING: Record<string, string> = {
  "serviceaccounts/token": "create",
  "pods/exec": "create",
  "clusterroles.rbac.authorization.k8s.io": "escalate",
  "roles.rbac.authorization.k8s.io": "bind",
  users: "impersonate",
  "nodes/proxy": "get",
};

describe("whoever has one of our accounts", { skip }, () => {
  let cluster: Cluster;
  let product: Product;
  let api: Api;
  let client: ApiClient;
  before(async () => {
    cluster = await startCluster({ ...(binaries && { binaries }) });
    product = await installProduct(cluster);
    api = await createApi(cluster);
    client = createApiClient(cluster.server, cluster.caFile, await tokenIn(cluster.kubeconfig));
    await api.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
  });
  after(async () => {
    await product.stop();
    await cluster.stop();
  });

  async function answersAsEver(): Promise<void> {
    const { object } = await api.create(aBackup(), { as: VELERO });
    assert.equal(object.metadata.annotations[LIMIT], "3");
  }

  /** Asks the API server's own authorizer. */
  async function isAllowed(account: string, asked: Omit<Right, "account">): Promise<boolean> {
    const [resource = "", subresource] = asked.resource.split("/");
    const spec = {
      user: `system:serviceaccount:${NAMESPACE}:${account}`,
      groups: ["system:serviceaccounts", `system:serviceaccounts:${NAMESPACE}`, "system:authenticated"],
      resourceAttributes: { ...asked, resource, ...(subresource !== undefined && { subresource }) },
    };
    const answer = await client.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", { spec });
    return Review.parse(JSON.parse(answer.body)).status.allowed;
  }

  for (const account of ["snapshot-retainer-webhook", "snapshot-retainer-controller"]) {
    test(`may do nothing but what the chart's roles say: ${account}`, async () => {
      const rights = rightsOf(await render(cluster.binaries.helm));
      const { stdout } = await cluster.kubectl(["api-resources", "--output=name"]);
      const all = stdout.split("\n").filter((line) => line !== "");
      const asked = [
        ...all.flatMap((resource) => VERBS.map((verb) => [resource, verb] as const)),
        ...Object.entries(ESCALATING),
      ].flatMap(([full, verb]) => {
        const [resource = "", ...group] = full.split(".");
        return ["", NAMESPACE, "velero", "shop", "kube-system"].map((namespace) => ({
          verb,
          group: group.join("."),
          resource,
          namespace,
          // One that nobody has granted anything on.
          name: verb === "create" ? "" : "another",
        }));
      });
      const answers = await inTurns(asked, async (one) => isAllowed(account, one));
      const wrong = asked.filter((one, index) => {
        // What every account may do: ask who it is, and what it may do.
        const isPublic =
          /^(authorization|authentication)\.k8s\.io$/.test(one.group) && one.resource.startsWith("self");
        const wanted = rights.some((right) => covers(right, { account, ...one }));
        return !isPublic && answers[index] !== wanted;
      });
      assert.ok(answers.some((allowed) => allowed) && answers.some((allowed) => !allowed));
      assert.deepEqual(wrong, []);
    });
  }

  test("a policy of our name in a tenant's namespace is nobody's", async () => {
    const data = { "policy.yaml": "snapshotsToRetain: 0" };
    const metadata = { name: POLICY_CONFIGMAP, namespace: "shop" };
    const stdin = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata, data });
    await cluster.kubectl(["create", "-f", "-"], { stdin });
    await answersAsEver();
  });

  test("what somebody writes into the memory of originals is not believed, and breaks nothing", async () => {
    const originals = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "snapshot-retainer-originals", namespace: NAMESPACE },
      data: { ["__proto__"]: '{"polluted":true}', constructor: "{", junk: "x".repeat(100_000) },
    };
    const stdin = JSON.stringify(originals);
    assert.match(stdin, /"__proto__"/);
    await cluster.kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], { stdin });
    const again = await product.startReplica();
    await again.ready();
    await answersAsEver();
    await again.stop();
  });

  test("a signing key that somebody has shortened is replaced at the next start", async () => {
    const key = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "snapshot-retainer-signing-key", namespace: NAMESPACE },
    };
    await api.patch(key, { data: { key: btoa("short") } });
    const again = await product.startReplica();
    await again.ready();
    await eventually("the key is a whole one", async () => {
      const { data = {} } = await api.read(key);
      assert.ok(atob(data["key"] ?? "").length >= 32);
    });
    await answersAsEver();
  });
});

/** As many at once as do not disturb each other. */
async function inTurns<T, R>(list: readonly T[], each: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < list.length; from += 50) {
    results.push(...(await Promise.all(list.slice(from, from + 50).map(each))));
  }
  return results;
}
