import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { KubeConfig } from "@kubernetes/client-node";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { LeaseLost, runElector } from "../../src/kube/lease-elector.ts";
import type { Term } from "../../src/kube/lease-elector.ts";
import { createRest } from "../../src/kube/rest.ts";
import { createApi } from "./api.ts";
import type { Api, Ref } from "./api.ts";
import { eventually } from "./eventually.ts";

const { binaries, skip } = await availableBinaries("demo");

const LEASE: Ref = {
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { name: "the-lease", namespace: "default" },
};

describe("an elector on a real API server", { skip, timeout: 120_000 }, () => {
  let cluster: Cluster;
  let api: Api;
  let stop: AbortController;
  let running: Promise<void>;
  /** The terms that were begun, each with what ends its work. */
  let terms: { readonly term: Term; readonly finish: () => void }[];
  let lost: string[];

  before(async () => {
    cluster = await startCluster({ ...(binaries && { binaries }) });
    api = await createApi(cluster);
  });
  after(async () => cluster.stop());

  beforeEach(async () => {
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromFile(cluster.kubeconfig);
    stop = new AbortController();
    terms = [];
    lost = [];
    running = runElector({
      rest: createRest(kubeConfig),
      namespace: "default",
      name: "the-lease",
      identity: "me",
      async lead(term) {
        const work = Promise.withResolvers<void>();
        terms.push({ term, finish: work.resolve });
        await work.promise;
      },
      clock: () => performance.now(),
      now: () => new Date(),
      onError: () => undefined,
      onLost: (reason) => lost.push(reason),
      stop: stop.signal,
    });
    await eventually("it leads", () => assert.equal(terms.length, 1));
  });
  afterEach(async () => {
    stop.abort();
    for (const { finish } of terms) finish();
    await running;
    await api.remove(LEASE).catch(() => undefined);
  });

  function first(): Term {
    const [only] = terms;
    assert.ok(only !== undefined);
    return only.term;
  }

  test("its term can be confirmed while the Lease is its own", async () => {
    await first().confirm();
    assert.equal(first().signal.aborted, false);
    const { spec } = await api.read(LEASE);
    assert.deepEqual([spec["holderIdentity"], spec["leaseTransitions"]], ["me", 1]);
  });

  test("a Lease that somebody else holds ends the term before anything is done", async () => {
    await api.patch(LEASE, { spec: { holderIdentity: "other", leaseTransitions: 2 } });
    await assert.rejects(first().confirm(), LeaseLost);
    assert.equal(first().signal.aborted, true);
    await eventually("it says so", () => assert.equal(lost.length, 1));
  });

  test("a Lease that is its own in a later term ends the earlier one", async () => {
    await api.patch(LEASE, { spec: { leaseTransitions: 7 } });
    await assert.rejects(first().confirm(), LeaseLost);
  });

  test("a Lease that is gone ends the term", async () => {
    await api.remove(LEASE);
    await assert.rejects(first().confirm(), LeaseLost);
  });

  test("the next term begins only when nothing of the last one runs any more", async () => {
    await api.remove(LEASE);
    await assert.rejects(first().confirm(), LeaseLost);
    await eventually("it says so", () => assert.equal(lost.length, 1));
    assert.equal(await api.find(LEASE), undefined);
    assert.equal(terms.length, 1);
    terms[0]?.finish();
    await eventually("it leads again", () => assert.equal(terms.length, 2));
    await terms[1]?.term.confirm();
  });

  test("told to stop, it keeps the Lease until its work has ended, and then gives it up", async () => {
    stop.abort();
    await first().confirm();
    assert.equal((await api.read(LEASE)).spec["holderIdentity"], "me");
    terms[0]?.finish();
    await running;
    const { spec } = await api.read(LEASE);
    assert.deepEqual([spec["holderIdentity"], spec["leaseTransitions"]], ["", 1]);
  });

  test("what others keep on the Lease stays", async () => {
    await api.patch(LEASE, { metadata: { annotations: { theirs: "kept" } } });
    stop.abort();
    terms[0]?.finish();
    await running;
    const { metadata, spec } = await api.read(LEASE);
    assert.equal(metadata.annotations["theirs"], "kept");
    assert.equal(spec["holderIdentity"], "");
  });
});
