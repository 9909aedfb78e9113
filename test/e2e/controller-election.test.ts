import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { createApi } from "./api.ts";
import type { Api } from "./api.ts";
import { LEASE, leaderOf } from "./controller-scene.ts";
import { eventually } from "./eventually.ts";
import { readMetric } from "./metrics.ts";
import { installProduct } from "./product.ts";
import type { Process, Product } from "./product.ts";

const { binaries, skip } = await availableBinaries("demo");

describe("the election of a leader", { skip, timeout: 240_000 }, () => {
  let cluster: Cluster;
  let api: Api;
  let product: Product;

  before(async () => {
    cluster = await startCluster({ ...(binaries && { binaries }) });
    [product, api] = await Promise.all([installProduct(cluster), createApi(cluster)]);
  });
  after(async () => {
    await product.stop();
    await cluster.stop();
  });

  /** Resolves with the only one of these that leads. */
  async function soleLeader(...among: Process[]): Promise<Process> {
    return eventually("exactly one leads", async () => {
      const leading = await Promise.all(
        among.map(async (one) => readMetric([one], "snapshot_retainer_leader")),
      );
      const [leader, ...others] = among.filter((_one, index) => leading[index] === 1);
      assert.ok(leader !== undefined && others.length === 0, `leading: ${leading.join()}`);
      return leader;
    });
  }

  test("of two controllers one leads and both are ready; when it is told to stop, the other leads at once", async () => {
    const both = [await product.startController(), await product.startController()];
    await Promise.all(both.map(async (one) => one.ready()));
    const first = await soleLeader(...both);
    const [second] = both.filter((one) => one !== first);
    assert.ok(second !== undefined);
    const before = await leaderOf(api);

    assert.equal(await first.stop("SIGTERM"), 0);

    await soleLeader(second);
    assert.notEqual(await leaderOf(api), before);
    assert.equal(await second.stop("SIGTERM"), 0);
    assert.equal(await leaderOf(api), "", "the Lease is given up");
  });

  test("a leader that stands still is succeeded, and stands by when it goes on", async () => {
    const first = await product.startController();
    await first.ready();
    await soleLeader(first);
    const second = await product.startController();
    await second.ready();
    const before = await api.read(LEASE);

    first.process.kill("SIGSTOP");
    await soleLeader(second);
    const after = await api.read(LEASE);
    assert.notEqual(after.spec["holderIdentity"], before.spec["holderIdentity"]);
    assert.equal(after.spec["leaseTransitions"], Number(before.spec["leaseTransitions"]) + 1);

    first.process.kill("SIGCONT");
    await soleLeader(first, second);
    assert.equal(await readMetric([first], "snapshot_retainer_leader"), 0);
    await first.stop();
    await second.stop();
  });

  test("a Lease that somebody deleted is made again, by a new term", async () => {
    const controller = await product.startController();
    await controller.ready();
    await soleLeader(controller);

    await api.remove(LEASE);

    await eventually("there is a Lease again", async () => assert.notEqual(await leaderOf(api), ""));
    await soleLeader(controller);
    await controller.stop();
  });

  test("a leader outlives an API server that goes away for longer than the Lease lasts", async () => {
    const controller = await product.startController();
    await controller.ready();
    await soleLeader(controller);

    await cluster.stopComponent("kube-apiserver");
    await eventually("it leads no longer", async () =>
      assert.equal(await readMetric([controller], "snapshot_retainer_leader"), 0),
    );
    await cluster.startComponent("kube-apiserver");

    await soleLeader(controller);
    assert.equal(await controller.stop("SIGTERM"), 0);
  });
});
