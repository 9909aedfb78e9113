import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { createApi } from "./api.ts";
import type { Api } from "./api.ts";
import { eventually } from "./eventually.ts";
import { startLoad } from "./load.ts";
import type { Load, LoadResult } from "./load.ts";
import { readMetric } from "./metrics.ts";
import { aBackup } from "./objects.ts";
import { installProduct, NAMESPACE, POLICY_CONFIGMAP } from "./product.ts";
import type { Product, Replica } from "./product.ts";

const { binaries, skip } = await availableBinaries("demo");

/** How late the Service in front of the replicas hears of one that is not ready; a replica that stops serves on for longer. */
const DELAY_MS = 500;
const DRAIN = { drainSeconds: 2 };
const SENDERS = 4;
/** The chart's webhook.timeoutSeconds, and what a busy machine may add. */
const TIMEOUT_MS = 5_000;
const BUSY_MS = 3_000;

describe("admission while replicas come and go", { skip, timeout: 300_000 }, () => {
  let cluster: Cluster;
  let api: Api;
  let product: Product;

  before(async () => {
    cluster = await startCluster({ ...(binaries && { binaries }) });
    api = await createApi(cluster);
    product = await installProduct(cluster, { replica: DRAIN, service: { delayMs: DELAY_MS } });
  });

  after(async () => {
    await product.stop();
    await cluster.stop();
  });

  async function addReplica(): Promise<Replica> {
    const replica = await product.startReplica(DRAIN);
    await replica.ready();
    return replica;
  }

  /** Runs what is done to two or more replicas under load, and gives what came of that. */
  async function underLoad(t: TestContext, act: (load: Load) => Promise<void>): Promise<LoadResult> {
    while (product.running().length < 2) await addReplica();
    const load = startLoad(api, { senders: SENDERS });
    try {
      await sleep(500);
      await act(load);
      await sleep(500);
    } finally {
      await load.stop();
    }
    const result = load.result();
    const { sent, unmutated, longestMs } = result;
    t.diagnostic(`${sent} requests, ${unmutated} unmutated, the longest ${Math.round(longestMs)} ms`);
    assert.deepEqual(result.failed, []);
    return result;
  }

  test("a rolling restart of all replicas: no request fails or is left unmutated", async (t) => {
    const { unmutated } = await underLoad(t, async () => {
      for (const old of product.running()) {
        await addReplica();
        assert.equal(await old.stop("SIGTERM"), 0);
      }
    });
    assert.equal(unmutated, 0);
  });

  test("scaling up to four and down to one: no request fails or is left unmutated", async (t) => {
    const { unmutated } = await underLoad(t, async () => {
      while (product.running().length < 4) await addReplica();
      const [, ...others] = product.running();
      await Promise.all(others.map(async (replica) => replica.stop("SIGTERM")));
    });
    assert.equal(unmutated, 0);
    assert.equal(product.running().length, 1);
  });

  test("a replica that is killed: no more than what was under way is left unmutated", async (t) => {
    const refusedBefore = product.service.refused();
    let underWay = 0;
    const { unmutated } = await underLoad(t, async (load) => {
      const [victim] = product.running();
      underWay = load.inFlight();
      await victim?.stop("SIGKILL");
    });
    // Until the Service hears of it, it leads new connections to a replica that is no more: that is not ours to help.
    const refused = product.service.refused() - refusedBefore;
    t.diagnostic(`${underWay} under way, ${refused} connections led to the killed replica`);
    assert.ok(unmutated <= SENDERS + refused, `${unmutated} unmutated`);
  });

  test("a replica that is frozen: requests wait for the webhook's timeout, and then go to the other", async (t) => {
    let victim: Replica | undefined;
    const { unmutated, longestMs } = await underLoad(t, async () => {
      [victim] = product.running();
      victim?.process.kill("SIGSTOP");
      await sleep(TIMEOUT_MS + DELAY_MS);
    });
    assert.ok(longestMs < TIMEOUT_MS + BUSY_MS, `the longest took ${longestMs} ms`);
    assert.ok(longestMs > TIMEOUT_MS, "nothing was sent to the frozen replica");
    // Each sender, and each connection that the API server keeps, runs into it once.
    assert.ok(unmutated <= 2 * SENDERS, `${unmutated} unmutated`);
    const meanwhile = await underLoad(t, async () => sleep(1_000));
    assert.equal(meanwhile.unmutated, 0);

    victim?.process.kill("SIGCONT");
    await victim?.ready();
    assert.equal((await underLoad(t, async () => sleep(1_000))).unmutated, 0);
  });

  test("the canary finds out that requests pass by, and that they no longer do, and stores nothing", async () => {
    const controller = await product.startController({ flags: ["--canary-every", "1s"] });
    await controller.ready();
    async function probes(result: string): Promise<number> {
      return readMetric([controller], "snapshot_retainer_canary_probes_total", { result });
    }
    async function counted(result: string): Promise<void> {
      const before = await probes(result);
      await eventually(result, async () => assert.ok((await probes(result)) > before));
    }
    while (product.running().length < 1) await addReplica();
    await counted("mutated");
    assert.equal(await probes("unmutated"), 0);

    await Promise.all(product.running().map(async (replica) => replica.stop("SIGKILL")));
    await counted("unmutated");
    await told("AdmissionBypassed");

    await addReplica();
    await counted("mutated");
    await told("AdmissionWorks");
    assert.equal(await probes("failed"), 0);
    assert.deepEqual(await api.list("velero.io/v1", "Backup"), []);
    assert.equal(await controller.stop("SIGTERM"), 0);
  });

  async function told(reason: string): Promise<void> {
    const query = `fieldSelector=involvedObject.name=${POLICY_CONFIGMAP},reason=${reason}`;
    await eventually("an Event", async () => assert.equal((await api.list("v1", "Event", query)).length, 1));
  }

  describe("with all replicas broken and failurePolicy Fail", () => {
    before(async () => {
      await upgrade("--set", "webhook.failurePolicy=Fail");
      await Promise.all(product.running().map(async (replica) => replica.stop("SIGKILL")));
    });

    async function upgrade(...more: string[]): Promise<void> {
      const chart = ["snapshot-retainer", "charts/snapshot-retainer", "--namespace", NAMESPACE];
      await cluster.helm(["upgrade", "--install", ...chart, "--values", product.values, ...more]);
    }

    async function isBlocked(): Promise<void> {
      await eventually("blocked", async () => assert.rejects(create(), /failed calling webhook/));
    }

    async function isFree(): Promise<void> {
      await eventually("free", create);
    }

    async function create(): Promise<void> {
      await api.create(aBackup(), { dryRun: true });
    }

    test("the emergency command ends all blocking, and an upgrade brings the webhooks back", async () => {
      await isBlocked();
      await cluster.kubectl([
        "delete",
        "mutatingwebhookconfigurations,validatingwebhookconfigurations",
        "-l",
        "app.kubernetes.io/part-of=snapshot-retainer",
      ]);
      await isFree();
      await upgrade("--set", "webhook.failurePolicy=Fail");
      await isBlocked();
    });

    test("helm uninstall leaves nothing that blocks anything", async () => {
      await isBlocked();
      await cluster.helm(["uninstall", "snapshot-retainer", "--namespace", NAMESPACE]);
      await isFree();
      for (const kind of ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]) {
        const left = await api.list("admissionregistration.k8s.io/v1", kind);
        assert.deepEqual(
          left.map(({ metadata: { name } }) => name).filter((name) => name.includes("retainer")),
          [],
        );
      }
    });
  });
});
