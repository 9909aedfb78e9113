import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import * as z from "zod";

import { availableBinaries } from "./availability.ts";
import { startCluster, type Cluster } from "./cluster.ts";

const { binaries, skip } = await availableBinaries("demo");

const SECOND_DRIVER = "second.csi.snapshot-retainer.io";

describe("a cluster", { skip, timeout: 300_000 }, () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await startCluster({
      ...(binaries && { binaries }),
      drivers: [
        { name: "array.csi.snapshot-retainer.io", limit: 1 },
        { name: SECOND_DRIVER, limit: 5 },
      ],
    });
    await apply(cluster, aClaim("data", "array"));
    await waitFor(cluster, "pvc/data", "jsonpath={.status.phase}=Bound");
  });
  after(async () => {
    await cluster.stop();
    assert.equal(existsSync(cluster.directory), false);
  });

  test("provisions a volume on the array", async () => {
    const { volumes } = await cluster.array.state();
    assert.equal(volumes.length, 1);
  });

  test("makes a snapshot on the array, and refuses one above its limit until there is room", async () => {
    await apply(cluster, aSnapshot("first", "array", "data"));
    await waitFor(cluster, "volumesnapshot/first", "jsonpath={.status.readyToUse}=true");
    assert.equal((await cluster.array.state()).snapshots.length, 1);

    await apply(cluster, aSnapshot("second", "array", "data"));
    await waitFor(cluster, "volumesnapshot/second", "jsonpath={.status.error.message}");
    const { stdout } = await cluster.kubectl([
      "get",
      "volumesnapshot/second",
      "-o=jsonpath={.status.error.message}",
    ]);
    assert.match(stdout, /ResourceExhausted.* has 1 snapshots and the array allows 1/);
    const full = await cluster.array.state();
    assert.equal(full.snapshots.length, 1);
    assert.ok(full.refused >= 1);
    assert.equal(full.refusals.length, full.refused);

    await cluster.kubectl(["delete", "volumesnapshot/first"]);
    await waitFor(cluster, "volumesnapshot/second", "jsonpath={.status.readyToUse}=true");
    const { snapshots, log } = await cluster.array.state();
    assert.equal(snapshots.length, 1);
    assert.deepEqual(
      log.map(({ operation }) => operation),
      ["CreateVolume", "CreateSnapshot", "DeleteSnapshot", "CreateSnapshot"],
    );
  });

  test("makes a volume out of a snapshot, on the array that the class names", async () => {
    await apply(cluster, aClaim("other", "second"));
    await waitFor(cluster, "pvc/other", "jsonpath={.status.phase}=Bound");
    await apply(cluster, aSnapshot("of-other", "second", "other"));
    await waitFor(cluster, "volumesnapshot/of-other", "jsonpath={.status.readyToUse}=true");
    const source = { apiGroup: "snapshot.storage.k8s.io", kind: "VolumeSnapshot", name: "of-other" };
    await apply(cluster, aClaim("restored", "second", source));
    await waitFor(cluster, "pvc/restored", "jsonpath={.status.phase}=Bound");
    const state = await cluster.arrays[1]?.state();
    assert.equal(state?.driver, SECOND_DRIVER);
    assert.deepEqual(
      state.volumes.map(({ source }) => source),
      [undefined, state.snapshots[0]?.id],
    );
  });

  test("lets the array's limit be changed, and keeps the array's state when the plugin is killed", async () => {
    await cluster.array.setLimit(7);
    const old = await cluster.array.state();
    cluster.kill("csi-plugin", "SIGKILL");
    await cluster.startComponent("csi-plugin");
    assert.deepEqual(await cluster.array.state(), old);
    assert.equal(old.limit, 7);
    assert.equal(cluster.failed.aborted, false);
  });

  test("acts as a ServiceAccount by its kubeconfig, and as any user by impersonation", async () => {
    const file = await cluster.kubeconfigFor("velero", "velero");
    const own = await cluster.kubectl([
      "--kubeconfig",
      file,
      "auth",
      "whoami",
      "-o=jsonpath={.status.userInfo.username}",
    ]);
    assert.equal(own.stdout, "system:serviceaccount:velero:velero");
    const denied = await cluster.kubectl(["get", "secrets"], { as: "somebody", allowFailure: true });
    assert.equal(denied.code, 1);
    assert.match(denied.stderr, /User "somebody" cannot list resource "secrets"/);
  });

  test("has its snapshot components act as their own accounts", async () => {
    const entries = (await readFile(cluster.auditLog, "utf8")).trimEnd().split("\n");
    const users = entries
      .map((line) => AuditEntry.parse(JSON.parse(line)))
      .filter(({ verb, objectRef }) => verb === "create" && objectRef?.resource === "volumesnapshotcontents")
      .map(({ user }) => user.username);
    assert.deepEqual([...new Set(users)], ["system:serviceaccount:kube-system:snapshot-controller"]);
  });

  test("survives a restart of its API server", async () => {
    await cluster.stopComponent("kube-apiserver");
    const down = await cluster.kubectl(["get", "namespaces"], { allowFailure: true });
    assert.notEqual(down.code, 0);
    await cluster.startComponent("kube-apiserver");
    assert.match((await cluster.kubectl(["get", "volumesnapshots"])).stdout, /second/);
  });

  test("deletes a namespace with everything in it", async () => {
    await cluster.kubectl(["create", "namespace", "gone"]);
    await cluster.kubectl(["create", "configmap", "inside", "--namespace=gone"]);
    await cluster.kubectl(["delete", "namespace", "gone", "--timeout=60s"]);
    assert.doesNotMatch((await cluster.kubectl(["get", "namespaces"])).stdout, /gone/);
  });

  test("runs helm", async () => {
    assert.match((await cluster.helm(["list", "--all-namespaces"])).stdout, /^NAME\s+NAMESPACE/);
  });
});

describe("a cluster that fails", { skip, timeout: 300_000 }, () => {
  test("names the component that did not come up and shows the end of its log", async () => {
    assert.ok(binaries);
    const broken = { ...binaries, csiPlugin: binaries.helm };
    await assert.rejects(startCluster({ binaries: broken }), (error: Error) => {
      assert.match(error.message, /csi-plugin ended before it was ready \(exit status 1\)/);
      assert.match(error.message, /unknown flag: --driver/);
      const logs = /its logs are in (\S+)\./.exec(error.message)?.[1] ?? "";
      assert.ok(existsSync(logs));
      rmSync(dirname(logs), { recursive: true });
      return true;
    });
  });

  test("says so when a component goes away by itself, and keeps the logs", async () => {
    const cluster = await startCluster({ ...(binaries && { binaries }) });
    const failed = once(cluster.failed, "abort", { signal: AbortSignal.timeout(10_000) });
    process.kill(cluster.pidOf("snapshot-controller"), "SIGKILL");
    await failed;
    assert.match(String(cluster.failed.reason), /snapshot-controller ended by itself \(killed by SIGKILL\)/);
    await cluster.stop();
    assert.ok(existsSync(join(cluster.directory, "logs")));
    await rm(cluster.directory, { recursive: true });
  });
});

const AuditEntry = z.object({
  verb: z.string(),
  user: z.object({ username: z.string() }),
  objectRef: z.object({ resource: z.string().optional() }).optional(),
});

async function apply(cluster: Cluster, manifest: unknown): Promise<void> {
  await cluster.kubectl(["apply", "-f", "-"], { stdin: JSON.stringify(manifest) });
}

async function waitFor(cluster: Cluster, object: string, condition: string): Promise<void> {
  await cluster.kubectl(["wait", `--for=${condition}`, object, "--timeout=60s"]);
}

function aClaim(name: string, storageClassName: string, dataSource?: unknown): unknown {
  const resources = { requests: { storage: "1Gi" } };
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name },
    spec: { accessModes: ["ReadWriteOnce"], storageClassName, resources, dataSource },
  };
}

function aSnapshot(
  name: string,
  volumeSnapshotClassName: string,
  persistentVolumeClaimName: string,
): unknown {
  return {
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshot",
    metadata: { name },
    spec: { volumeSnapshotClassName, source: { persistentVolumeClaimName } },
  };
}
