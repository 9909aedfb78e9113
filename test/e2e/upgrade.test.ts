import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import * as z from "zod";
import { only, parseObjects } from "../chart/chart.ts";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { createApi } from "./api.ts";
import type { Api, Ref } from "./api.ts";
import { backUp, createVolume, holds } from "./controller-scene.ts";
import type { Volume } from "./controller-scene.ts";
import { eventually } from "./eventually.ts";
import { startLoad } from "./load.ts";
import { readMetric } from "./metrics.ts";
import { aName } from "./objects.ts";
import { installProduct, NAMESPACE, POLICY_CONFIGMAP } from "./product.ts";
import type { Product } from "./product.ts";

const { binaries, skip } = await availableBinaries("demo");

const NEW_CHART = "charts/snapshot-retainer";
const [OLD_CHART = ""] = globSync("test/releases/*/snapshot-retainer-*.tgz").toSorted().toReversed();
const POLICY = { snapshotsToRetain: 2, ceilings: { drivers: { "array.csi.snapshot-retainer.io": 10 } } };
const DRAIN_SECONDS = 2;
const SENDERS = 4;

/** A version of the product, as its chart starts it. */
interface Version {
  /** The program's file; the one in this repository where left out. */
  readonly program?: string;
  readonly webhook: readonly string[];
  readonly controller: readonly string[];
}

describe("an upgrade from the release before, and back", { skip, timeout: 300_000 }, () => {
  let cluster: Cluster;
  let api: Api;
  let product: Product;
  let older: Version;
  let newer: Version;
  let volume: Volume;
  const handles: string[] = [];

  before(async () => {
    cluster = await startCluster({ ...(binaries && { binaries }) });
    api = await createApi(cluster);
    older = { ...(await flagsOf(OLD_CHART)), program: await unpacked() };
    newer = await flagsOf(NEW_CHART);
    const replica = { flags: older.webhook, ...programOf(older), drainSeconds: DRAIN_SECONDS };
    product = await installProduct(cluster, { chart: OLD_CHART, policy: POLICY, replica });
    await (await product.startReplica(replica)).ready();
    await startController(older);
    await api.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
    volume = await createVolume(api, "data");
  });
  after(async () => {
    await product.stop();
    await cluster.stop();
  });

  /** The program of the release, unpacked beside the cluster's own files. */
  async function unpacked(): Promise<string> {
    const directory = join(cluster.directory, "release");
    await mkdir(directory);
    const archive = join(OLD_CHART, "..", "program.tgz");
    await promisify(execFile)("tar", ["-xzf", archive, "-C", directory]);
    return join(directory, "main.js");
  }

  /** The flags that a chart's Deployments give to the program. */
  async function flagsOf(chart: string): Promise<Pick<Version, "webhook" | "controller">> {
    const rendered = await cluster.helm([
      "template",
      "snapshot-retainer",
      chart,
      "--namespace",
      NAMESPACE,
      "--kube-version=1.36",
    ]);
    const objects = parseObjects(rendered.stdout);
    function flags(component: string): string[] {
      const { spec } = Deployment.parse(only(objects, "Deployment", `snapshot-retainer-${component}`));
      // The command, and after it what the processes of a test have otherwise: ports and probes of their own.
      return spec.template.spec.containers.flatMap(({ args }) => args.slice(1)).filter(isKept);
    }
    return { webhook: flags("webhook"), controller: flags("controller") };
  }

  async function startController(version: Version): Promise<void> {
    const controller = await product.startController({ flags: version.controller, ...programOf(version) });
    await controller.ready();
  }

  /** As Deployments roll with maxUnavailable 0: one more is ready before one of the old ones is told to stop. */
  async function roll(version: Version): Promise<void> {
    for (const old of product.running()) {
      const replica = { flags: version.webhook, ...programOf(version), drainSeconds: DRAIN_SECONDS };
      await (await product.startReplica(replica)).ready();
      assert.equal(await old.stop("SIGTERM"), 0);
    }
    const controllers = product.runningControllers();
    await startController(version);
    for (const old of controllers) assert.equal(await old.stop("SIGTERM"), 0);
    await eventually("the new controller leads", async () => {
      assert.equal(await readMetric(product.runningControllers(), "snapshot_retainer_leader"), 1);
    });
  }

  async function underLoad(what: string, change: () => Promise<void>): Promise<string> {
    const load = startLoad(api, { senders: SENDERS });
    try {
      await sleep(300);
      await change();
      await sleep(300);
    } finally {
      await load.stop();
    }
    const { sent, failed, unmutated, longestMs } = load.result();
    assert.deepEqual(failed, []);
    assert.equal(unmutated, 0);
    return `${what}: ${sent} requests, the longest ${Math.round(longestMs)} ms`;
  }

  async function helm(...args: string[]): Promise<void> {
    await cluster.helm([...args, "--namespace", NAMESPACE]);
  }

  /** A backup whose snapshot is retained: the array then holds the newest two of all so far. */
  async function backUpOnce(): Promise<void> {
    handles.push((await backUp(api, volume, aName("b"))).handle);
    await holds(cluster, volume, handles.slice(-2));
  }

  /** What has to outlive an upgrade. */
  async function lasting(): Promise<unknown> {
    const configurations = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"].map((kind) => ({
      apiVersion: "admissionregistration.k8s.io/v1",
      kind,
      metadata: { name: "snapshot-retainer" },
    }));
    const bundles = configurations.map(async (ref) => {
      const { webhooks } = Webhooks.parse(await api.read(ref));
      return webhooks.map(({ clientConfig }) => clientConfig.caBundle);
    });
    const data = KEPT.map(async (ref) => (await api.read(ref)).data);
    return Promise.all([...bundles, ...data]);
  }

  test("is from another version", () => {
    assert.match(OLD_CHART, /^test\/releases\/([\d.]+)\/snapshot-retainer-\1\.tgz$/);
  });

  test("the upgrade leaves no request unmutated, and takes over what the old version has retained", async (t) => {
    await backUpOnce();
    await backUpOnce();
    const before = await lasting();
    t.diagnostic(
      await underLoad("upgrade", async () => {
        await helm("upgrade", "snapshot-retainer", NEW_CHART, "--values", product.values);
        await roll(newer);
      }),
    );
    assert.deepEqual(await lasting(), before);
    // The oldest was retained and signed by the old version: the new one knows it, counts it, and lets it go.
    await backUpOnce();
  });

  test("so does a rollback", async (t) => {
    const before = await lasting();
    t.diagnostic(
      await underLoad("rollback", async () => {
        await helm("rollback", "snapshot-retainer", "1");
        await roll(older);
      }),
    );
    assert.deepEqual(await lasting(), before);
    await backUpOnce();
  });

  test("with --reuse-values, too", async () => {
    await helm("upgrade", "snapshot-retainer", NEW_CHART, "--reuse-values");
    await helm("rollback", "snapshot-retainer", "1");
  });
});

function programOf({ program }: Version): Pick<Version, "program"> {
  return program === undefined ? {} : { program };
}

/** Where Pods listen, and what a probe asks, is another matter for processes on one machine. */
function isKept(flag: string): boolean {
  return !/^--(host|port|probe-port|status-port|drain-seconds|canary-every)=/.test(flag);
}

const Deployment = z.object({
  spec: z.object({
    template: z.object({ spec: z.object({ containers: z.array(z.object({ args: z.array(z.string()) })) }) }),
  }),
});
const Webhooks = z.looseObject({
  webhooks: z.array(z.object({ clientConfig: z.object({ caBundle: z.string() }) })),
});

const KEPT: readonly Ref[] = [
  { apiVersion: "v1", kind: "Secret", metadata: { name: "snapshot-retainer-tls", namespace: NAMESPACE } },
  {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "snapshot-retainer-signing-key", namespace: NAMESPACE },
  },
  { apiVersion: "v1", kind: "ConfigMap", metadata: { name: POLICY_CONFIGMAP, namespace: NAMESPACE } },
];
