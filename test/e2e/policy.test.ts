import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import { Agent } from "node:https";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { availableBinaries } from "../cluster/availability.ts";
import { aHeld, someKeys } from "../certs/pair.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { CommandResult } from "../cluster/command-line.ts";
import { createApi } from "./api.ts";
import type { Answer, Api, Stored } from "./api.ts";
import { auditOf } from "./audit.ts";
import { eventually } from "./eventually.ts";
import { readMetric } from "./metrics.ts";
import { aBackup, aClaim, aDataUpload, aName, aVolumeSnapshot } from "./objects.ts";
import { configMap, installProduct, NAMESPACE, POLICY_CONFIGMAP } from "./product.ts";
import type { Product } from "./product.ts";
import { aReview, rawPost, responseOf } from "./raw-post.ts";
import type { RawAnswer } from "./raw-post.ts";
import { VELERO } from "./velero.ts";

const { binaries, skip } = await availableBinaries("demo");

const LIMIT = "backup.velero.io/data-mover-snapshot-to-retain";
const ALIAS = "velero.io/snapshot-alias-name";
const ARRAY = "array.csi.snapshot-retainer.io";
const POLICY_REF = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: POLICY_CONFIGMAP, namespace: NAMESPACE },
};

describe("the policy on a real control plane", { skip, timeout: 240_000 }, () => {
  let cluster: Cluster;
  let api: Api;
  let product: Product;

  before(async () => {
    cluster = await startCluster(binaries === undefined ? {} : { binaries });
    api = await createApi(cluster);
    product = await installProduct(cluster, { policy: { snapshotsToRetain: 3 } });
    for (const namespace of ["shop", "prod-eu", "test"]) {
      await cluster.kubectl(["create", "namespace", namespace]);
    }
  });

  after(async () => {
    await product.stop();
    await cluster.stop();
  });

  /** The number that a Backup would get now. */
  async function numberNow(labels: Record<string, string> = {}): Promise<string | undefined> {
    const { object } = await api.create(aBackup({ labels }), { dryRun: true });
    return object.metadata.annotations[LIMIT];
  }

  async function inForce(number: string): Promise<void> {
    await eventually(`${number} is in force`, async () => assert.equal(await numberNow(), number));
  }

  /** Applies a policy document's text as a user does, with whatever comes of it. */
  async function applyText(text: string): Promise<CommandResult> {
    return cluster.kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], {
      stdin: configMap(text),
      allowFailure: true,
    });
  }

  async function created(manifest: Parameters<Api["create"]>[0]): Promise<Stored> {
    return (await api.create(manifest)).object;
  }

  describe("is in force", () => {
    test("soon after kubectl apply, without a restart", async (context) => {
      const [replica] = product.running();
      const pid = replica?.process.pid;
      for (const number of [5, 8]) {
        const { code } = await applyText(documentOf({ snapshotsToRetain: number }));
        assert.equal(code, 0);
        const start = performance.now();
        await inForce(String(number));
        context.diagnostic(`in force ${Math.round(performance.now() - start)} ms after kubectl apply`);
      }
      assert.deepEqual(
        product.running().map((running) => running.process.pid),
        [pid],
      );
    });

    test("on every replica", async (context) => {
      const second = await product.startReplica();
      context.after(async () => second.stop());
      await second.ready();
      await product.applyPolicy({ snapshotsToRetain: 6 });
      for (const { url } of product.running()) {
        const answer = await rawPost(`${url}/mutate`, aReview(aBackup()), { ca: await product.authority() });
        assert.match(patchIn(responseOf(answer).patch), /data-mover-snapshot-to-retain":"6"/);
      }
    });
  });

  describe("in mode", () => {
    test("enforce: acts", async () => {
      await product.applyPolicy({ mode: "enforce", snapshotsToRetain: 3 });
      assert.equal(await numberNow(), "3");
    });

    test("audit: says what it would do, in the warning, the audit log and the metric, and changes nothing", async () => {
      await product.applyPolicy({ mode: "audit", snapshotsToRetain: 3 });
      const before = await audited();
      const manifest = aBackup({ annotations: { [LIMIT]: "7" } });
      const { object, warnings, auditId } = await api.create(manifest);
      assert.deepEqual(object.metadata.annotations, { [LIMIT]: "7" });
      assert.match(warnings.join("\n"), /audit mode: would change .*data-mover-snapshot-to-retain/);
      const { ours } = await auditOf(cluster, auditId);
      assert.equal(ours["code"], "audit:limit_overwritten");
      assert.equal(ours["limit"], "3");
      assert.equal(await audited(), before + 1);
      const removed = await api.patch(object, { metadata: { annotations: { [LIMIT]: "1" } } });
      assert.deepEqual(removed.object.metadata.annotations, { [LIMIT]: "1" });
      const claim = await created(aClaim({ name: aName("data"), namespace: "shop" }));
      const snapshot = await api.create(aVolumeSnapshot({ claim, backup: object.metadata.name }), {
        as: VELERO,
      });
      assert.equal(snapshot.object.metadata.labels[ALIAS], undefined);
      assert.deepEqual(snapshot.object.metadata.annotations, {});
    });

    test("paused: goes on labelling", async () => {
      await product.applyPolicy({ mode: "paused", snapshotsToRetain: 3 });
      const { object: backup } = await api.create(aBackup());
      assert.equal(backup.metadata.annotations[LIMIT], "3");
      const claim = await created(aClaim({ name: aName("data"), namespace: "shop" }));
      const { object } = await api.create(aVolumeSnapshot({ claim, backup: backup.metadata.name }), {
        as: VELERO,
      });
      assert.notEqual(object.metadata.labels[ALIAS], undefined);
    });
  });

  describe("decides by its rules: the first that matches", () => {
    const rules = [
      { name: "ceph", when: { drivers: ["rbd.csi.ceph.com"] }, snapshotsToRetain: 4 },
      { name: "gold disks", when: { storageClasses: ["gold"] }, snapshotsToRetain: 5 },
      {
        name: "production",
        when: { namespaces: ["prod-*"], pvcLabels: { tier: "db" } },
        snapshotsToRetain: 6,
      },
      { name: "production else", when: { namespaces: ["prod-*"] }, snapshotsToRetain: 2 },
      { name: "labelled", when: { pvcLabels: { tier: "db" } }, snapshotsToRetain: 7 },
      { name: "weekly", when: { schedules: ["weekly*"] }, snapshotsToRetain: 8 },
      { name: "none", when: { storageClasses: ["scratch"] }, snapshotsToRetain: -1 },
    ];
    const cases: Record<string, { readonly volume: Volume; readonly want: string }> = {
      "a driver by the suffix of its name": {
        volume: { driver: "rook-ceph.rbd.csi.ceph.com", storageClass: "gold" },
        want: '4: rule "ceph"',
      },
      "no driver whose name only ends alike": {
        volume: { driver: "notrbd.csi.ceph.com" },
        want: '1: the policy\'s snapshotsToRetain, lowered from 3 by the ceiling for drivers without a known limit (set ceilings.drivers["notrbd.csi.ceph.com"] to raise it)',
      },
      "a storage class": { volume: { storageClass: "gold" }, want: '5: rule "gold disks"' },
      "a namespace by a glob, with a label of the claim": {
        volume: { namespace: "prod-eu", labels: { tier: "db" } },
        want: '6: rule "production"',
      },
      "a namespace by a glob": { volume: { namespace: "prod-eu" }, want: '2: rule "production else"' },
      "a label of the claim": { volume: { labels: { tier: "db", app: "x" } }, want: '7: rule "labelled"' },
      "a label of the claim by its value": {
        volume: { labels: { tier: "web" } },
        want: "3: the policy's snapshotsToRetain",
      },
      "the Schedule that made the Backup": { volume: { schedule: "weekly-full" }, want: '8: rule "weekly"' },
      "a number below zero, which retains none": {
        volume: { storageClass: "scratch" },
        want: '0: rule "none"',
      },
      "no rule, so the global number": { volume: {}, want: "3: the policy's snapshotsToRetain" },
    };

    before(async () => {
      await product.applyPolicy({ snapshotsToRetain: 3, rules, ceilings: { drivers: { [ARRAY]: 20 } } });
    });

    for (const [name, { volume, want }] of Object.entries(cases)) {
      test(name, async () => {
        assert.deepEqual(await decisionFor(volume), decisionOf(want));
      });
    }

    test("a Schedule's rule alone gives the number on the Backup itself", async () => {
      assert.equal(await numberNow({ "velero.io/schedule-name": "weekly-full" }), "8");
      assert.equal(await numberNow({ "velero.io/schedule-name": "daily" }), "3");
    });
  });

  describe("never exceeds a ceiling:", () => {
    const cases: Record<string, { readonly volume: Volume; readonly want: string }> = {
      "of a driver": {
        volume: {},
        want: `9: the policy's snapshotsToRetain, lowered from 60 by the ceiling of ${ARRAY}`,
      },
      "of a rule's number": {
        volume: { labels: { tier: "db" } },
        want: `9: rule "gold", lowered from 70 by the ceiling of ${ARRAY}`,
      },
      "of a storage class, where that is lower": {
        volume: { storageClass: "small" },
        want: "4: the policy's snapshotsToRetain, lowered from 60 by the ceiling of storage class small",
      },
      "of the built-in table": {
        volume: { driver: "csi.vsphere.vmware.com" },
        want: "2: the policy's snapshotsToRetain, lowered from 60 by the ceiling of csi.vsphere.vmware.com",
      },
      "of a driver that the policy sets above the built-in table": {
        volume: { driver: "driver.longhorn.io" },
        want: "60: the policy's snapshotsToRetain",
      },
      "of a driver that nobody knows": {
        volume: { driver: "disk.example.com" },
        want: '1: the policy\'s snapshotsToRetain, lowered from 60 by the ceiling for drivers without a known limit (set ceilings.drivers["disk.example.com"] to raise it)',
      },
    };

    before(async () => {
      await product.applyPolicy({
        snapshotsToRetain: 60,
        rules: [{ name: "gold", when: { pvcLabels: { tier: "db" } }, snapshotsToRetain: 70 }],
        ceilings: { drivers: { [ARRAY]: 9, "driver.longhorn.io": 80 }, storageClasses: { small: 4 } },
      });
    });

    for (const [name, { volume, want }] of Object.entries(cases)) {
      test(name, async () => {
        assert.deepEqual(await decisionFor(volume), decisionOf(want));
      });
    }
  });

  describe("when its document is bad", () => {
    const bad: Record<string, { readonly text: string; readonly want: RegExp }> = {
      "an unknown field": {
        text: documentText(
          "snapshotsToRetain: 4",
          "rules:",
          "  - name: a",
          "    when: { driver: [x] }",
          "    snapshotsToRetain: 1",
        ),
        want: /policy\.yaml: line 6: rules\[0\]\.when\.driver: unknown field/,
      },
      "a number that is none": {
        text: documentText("snapshotsToRetain: many"),
        want: /policy\.yaml: line 3: snapshotsToRetain: .*found "many"/,
      },
      "no YAML": {
        text: documentText("rules: [", "mode: x"),
        want: /policy\.yaml: line \d+: is not valid YAML/,
      },
      "another version": {
        text: "apiVersion: snapshot-retainer.io/v9\nkind: RetentionPolicy\n",
        want: /policy\.yaml: line 1: apiVersion: .*v9/,
      },
    };
    for (const [name, { text, want }] of Object.entries(bad)) {
      test(`${name}: is refused at kubectl apply, with line and path, and the last good one stays`, async () => {
        await product.applyPolicy({ snapshotsToRetain: 3 });
        const { code, stderr } = await applyText(text);
        assert.notEqual(code, 0);
        assert.match(stderr, /admission webhook "policy\.snapshot-retainer\.io" denied the request/);
        assert.match(stderr, want);
        assert.doesNotMatch(
          (await api.read(POLICY_REF)).data?.["policy.yaml"] ?? "",
          /many|driver:|v9|rules: \[/,
        );
        assert.equal(await numberNow(), "3");
      });
    }

    test("an absent key is refused as well", async () => {
      await assert.rejects(
        api.patch(POLICY_REF, { data: { "policy.yaml": null, other: "x" } }),
        /needs the key policy\.yaml/,
      );
    });

    test("and slips in all the same: the last good one stays in force, an Event and a metric tell, a good one repairs it", async () => {
      await product.applyPolicy({ snapshotsToRetain: 3 });
      assert.equal(await readMetric(product.running(), "snapshot_retainer_policy_valid"), 1);
      const text = documentText("snapshotsToRetain: 4", "rule: []");
      await withoutValidation(async () => {
        assert.equal((await applyText(text)).code, 0);
      });
      await policyValid(0);
      assert.equal(await numberNow(), "3");
      await eventually("kubectl describe shows the Event", async () => {
        const { stdout } = await cluster.kubectl([
          "describe",
          "configmap",
          POLICY_CONFIGMAP,
          "-n",
          NAMESPACE,
        ]);
        assert.match(
          stdout,
          /Warning\s+PolicyInvalid\s.*line 4: rule: unknown field: the last good policy stays/,
        );
      });
      assert.equal((await fetch(`${product.running()[0]?.probes ?? ""}/readyz`)).status, 200);
      await product.applyPolicy({ snapshotsToRetain: 5 });
      assert.equal(await numberNow(), "5");
      await policyValid(1);
    });

    test("or is deleted: the last good one stays in force, and the metric tells", async () => {
      await product.applyPolicy({ snapshotsToRetain: 3 });
      await api.remove(POLICY_REF);
      await policyValid(0);
      assert.equal(await numberNow(), "3");
      await product.applyPolicy({ snapshotsToRetain: 4 });
      assert.equal(await numberNow(), "4");
      await policyValid(1);
    });
  });

  test("no other ConfigMap is sent or touched", async () => {
    const before = await configMapRequests();
    for (const namespace of [NAMESPACE, "velero", "shop"]) {
      const metadata = { name: aName("other"), namespace };
      const { object } = await api.create({
        ...POLICY_REF,
        metadata,
        data: { "policy.yaml": "nonsense: [" },
      } as typeof POLICY_REF);
      assert.deepEqual(object.data, { "policy.yaml": "nonsense: [" });
      assert.deepEqual([object.metadata.labels, object.metadata.annotations], [{}, {}]);
    }
    // The policy's own name in another namespace.
    await created({ ...POLICY_REF, metadata: { ...POLICY_REF.metadata, namespace: "shop" } });
    assert.equal(await configMapRequests(), before);
    await product.applyPolicy({ snapshotsToRetain: 3 });
    assert.equal(await configMapRequests(), before + 1);
  });

  describe("a replica", () => {
    test("is not ready without a policy, says so, answers all the same, and is ready as soon as there is one", async (context) => {
      await api.remove(POLICY_REF);
      const replica = await product.startReplica();
      context.after(async () => replica.stop());
      await eventually("only the policy is missing", async () => {
        const response = await fetch(`${replica.probes}/readyz`);
        assert.equal(response.status, 503);
        assert.match(
          await response.text(),
          /^policy: no valid policy has been loaded from ConfigMap snapshot-retainer\/snapshot-retainer-policy\n$/,
        );
      });
      assert.equal((await fetch(`${replica.probes}/healthz`)).status, 200);
      const answer = await rawPost(`${replica.url}/mutate`, aReview(aBackup()), {
        ca: await product.authority(),
      });
      const { allowed, patch, warnings } = responseOf(answer);
      assert.deepEqual([answer.status, allowed, patch], [200, true, undefined]);
      assert.match((warnings ?? []).join("\n"), /no valid policy has been loaded yet/);
      await product.applyPolicy({ snapshotsToRetain: 3 });
      await replica.ready();
    });

    test("takes policy and certificate from files where it is told to, and follows both", async (context) => {
      const files = await mkdtemp(join(cluster.directory, "files-"));
      const [certFile, keyFile] = [join(files, "tls.crt"), join(files, "tls.key")];
      const policy = join(files, "policy.yaml");
      const keys = await someKeys();
      async function issue(): Promise<string> {
        const held = aHeld(keys, { names: ["127.0.0.1"], now: new Date() });
        const { cert: certificate = "", key: privateKey = "", caCert = "" } = held;
        await Promise.all([writeFile(certFile, certificate), writeFile(keyFile, privateKey)]);
        return caCert;
      }
      const first = await issue();
      await writeFile(policy, documentOf({ snapshotsToRetain: 11 }));
      const flags = [
        "--cert-mode=files",
        `--tls-cert=${certFile}`,
        `--tls-key=${keyFile}`,
        `--policy-file=${policy}`,
      ];
      const replica = await product.startReplica({ flags });
      context.after(async () => replica.stop());
      await replica.ready();
      async function answerTrusting(ca: string): Promise<string> {
        return patchIn(responseOf(await rawPost(`${replica.url}/mutate`, aReview(aBackup()), { ca })).patch);
      }
      assert.match(await answerTrusting(first), /:"11"/);
      const second = await issue();
      await eventually("the new certificate is served", async () => answerTrusting(second));
      await writeFile(policy, documentOf({ snapshotsToRetain: 12 }));
      await eventually("the new policy is in force", async () =>
        assert.match(await answerTrusting(second), /:"12"/),
      );
    });

    test("that is stopped is not ready at once, serves on, tells its callers to go, and ends with status 0", async () => {
      const replica = await product.startReplica({ drainSeconds: 2 });
      await replica.ready();
      const agent = new Agent({ keepAlive: true });
      const ca = await product.authority();
      async function post(): Promise<RawAnswer> {
        return rawPost(`${replica.url}/mutate`, aReview(aBackup()), { ca, agent });
      }
      assert.equal((await post()).headers.connection, "keep-alive");
      const ended = replica.stop("SIGTERM");
      await eventually("not ready", async () => {
        const response = await fetch(`${replica.probes}/readyz`);
        assert.equal(response.status, 503);
        assert.match(await response.text(), /shutting down/);
      });
      // A connection that the server closes while the API server sends on it is a request that fails.
      const answer = await post();
      assert.equal(responseOf(answer).allowed, true);
      assert.notEqual(responseOf(answer).patch, undefined);
      assert.equal(answer.headers.connection, "close");
      assert.equal(await ended, 0);
      agent.destroy();
    });

    test("after another, stopped while Backups are created all the time, leaves none of them without its number", async () => {
      await product.applyPolicy({ snapshotsToRetain: 3 });
      await rollOver();
      const stop = new AbortController();
      const streams = Array.from({ length: 4 }, async () => createUntil(stop.signal));
      await rollOver();
      stop.abort();
      const made = (await Promise.all(streams)).flat();
      assert.ok(made.length > 50, `only ${made.length} Backups were created`);
      assert.deepEqual(
        made.filter(({ object }) => object.metadata.annotations[LIMIT] !== "3").map(({ auditId }) => auditId),
        [],
      );
    });

    /** Starts a new replica, and when it is ready stops the old ones in order. */
    async function rollOver(): Promise<void> {
      const old = product.running();
      await (await product.startReplica({ drainSeconds: 2 })).ready();
      await Promise.all(old.map(async (replica) => replica.stop("SIGTERM")));
    }

    async function createUntil(signal: AbortSignal): Promise<Answer[]> {
      const answers: Answer[] = [];
      while (!signal.aborted) {
        answers.push(await api.create(aBackup(), { dryRun: true }));
        await sleep(10);
      }
      return answers;
    }
  });

  describe("straight to the webhook's port,", () => {
    const uid = randomUUID();
    const huge = aReview(aBackup({ annotations: { filler: "x".repeat(8 * 1024 * 1024) } }), uid);
    const bodies: Record<string, { readonly body: string; readonly uid: string }> = {
      "nothing at all": { body: "", uid: "" },
      "no JSON": { body: "<html>", uid: "" },
      "JSON cut short": { body: aReview(aBackup(), uid).slice(0, -40), uid },
      "another kind": { body: JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata: {} }), uid: "" },
      "a review of another version": {
        body: aReview(aBackup(), uid).replace("admission.k8s.io/v1", "admission.k8s.io/v1beta1"),
        uid,
      },
      "a review without a request": {
        body: JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" }),
        uid: "",
      },
      "an object of another shape": { body: aReview({ ...aBackup(), metadata: "none", spec: 7 }, uid), uid },
      "an object that is null": { body: aReview(null, uid), uid },
      "8 MiB": { body: huge, uid },
    };
    for (const [name, { body, uid: wanted }] of Object.entries(bodies)) {
      test(`${name} is answered with 200, allowed and unchanged, with its UID and a warning`, async () => {
        const [replica] = product.running();
        const answer = await rawPost(`${replica?.url ?? ""}/mutate`, body, { ca: await product.authority() });
        const response = responseOf(answer);
        assert.equal(answer.status, 200);
        assert.equal(response.allowed, true);
        assert.equal(response.uid, wanted);
        assert.equal(response.patch, undefined);
        assert.match((response.warnings ?? []).join("\n"), /^snapshot-retainer: unchanged, since /);
      });
    }

    test("a policy that cannot be read is let through, never refused by accident", async () => {
      const [replica] = product.running();
      for (const body of ["", "<html>", huge]) {
        const answer = await rawPost(`${replica?.url ?? ""}/validate-policy`, body, {
          ca: await product.authority(),
        });
        assert.deepEqual([answer.status, responseOf(answer).allowed], [200, true]);
      }
    });
  });

  /** What a test says of a volume; the rest is a claim in namespace shop on our own driver. */
  interface Volume {
    readonly driver?: string;
    readonly storageClass?: string;
    readonly namespace?: string;
    readonly labels?: Record<string, string>;
    readonly schedule?: string;
  }

  /** What the DataUpload of such a volume says. */
  async function decisionFor(volume: Volume): Promise<Record<string, string>> {
    const { namespace = "shop", labels, schedule, driver = ARRAY, storageClass = "plain" } = volume;
    const claim = await created(
      aClaim({ name: aName("data"), namespace, storageClassName: storageClass, ...(labels && { labels }) }),
    );
    const backup = await created(
      aBackup(schedule === undefined ? {} : { labels: { "velero.io/schedule-name": schedule } }),
    );
    const { object } = await api.create(
      aDataUpload({ backup: backup.metadata.name, claim, snapshot: "none", driver, storageClass }),
      { as: VELERO },
    );
    return Object.fromEntries(
      ["retain", "limit", "limit-reason"].map((key) => [
        key,
        object.metadata.annotations[`snapshot-retainer.io/${key}`] ?? "",
      ]),
    );
  }

  async function audited(): Promise<number> {
    const labels = { outcome: "audited", kind: "backups", operation: "CREATE" };
    return readMetric(product.running(), "snapshot_retainer_admission_requests_total", labels);
  }

  async function configMapRequests(): Promise<number> {
    return readMetric(product.running(), "snapshot_retainer_admission_requests_total", {
      kind: "configmaps",
    });
  }

  async function policyValid(value: number): Promise<void> {
    await eventually(`the metric says ${value}`, async () => {
      assert.equal(await readMetric(product.running(), "snapshot_retainer_policy_valid"), value);
    });
  }

  /** Takes the validating webhook away meanwhile. */
  async function withoutValidation(action: () => Promise<void>): Promise<void> {
    const ref = {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: "snapshot-retainer" },
    };
    const { apiVersion, kind, metadata, ...rest } = await api.read(ref);
    await api.remove(ref);
    try {
      await action();
    } finally {
      const { name, labels, annotations } = metadata;
      await api.create({ ...rest, apiVersion, kind, metadata: { name, labels, annotations } } as typeof ref);
    }
  }
});

function decisionOf(reason: string): Record<string, string> {
  const [number = ""] = reason.split(":");
  return { retain: String(number !== "0"), limit: number, "limit-reason": reason };
}

function documentOf(policy: object): string {
  return JSON.stringify({ apiVersion: "snapshot-retainer.io/v1alpha1", kind: "RetentionPolicy", ...policy });
}

/** A document in YAML; the first of the lines is its third. */
function documentText(...lines: readonly string[]): string {
  return ["apiVersion: snapshot-retainer.io/v1alpha1", "kind: RetentionPolicy", ...lines, ""].join("\n");
}

function patchIn(patch: string | undefined): string {
  return z.string().parse(atob(patch ?? ""));
}
