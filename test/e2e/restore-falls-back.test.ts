import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  DATA_DOWNLOAD_ANNOTATION,
  DATA_DOWNLOAD_LABEL,
  RESTORE_DECISION_ANNOTATION,
} from "../../src/kube/keys.ts";
import { restoreName } from "../../src/restore/names.ts";
import { asList } from "../cluster/objects.ts";
import type { StorageArray } from "../cluster/storage-array.ts";
import type { Stored } from "./api.ts";
import { eventually } from "./eventually.ts";
import {
  aChangeOfClass,
  decisionsOf,
  downloadsOf,
  isStillRetained,
  nothingLeft,
  nothingLeftOf,
  restoredFrom,
  retainedOf,
  untilLed,
} from "./restore-bed.ts";
import type { Manifest } from "./objects.ts";
import { reaches } from "./restore-steps.ts";
import { available, backUp, startBed } from "./retention-bed.ts";
import type { Bed } from "./retention-bed.ts";
import { aContent } from "./velero.ts";

/**
 * A failure at each step of a restore from a retained snapshot. A restore is never worse off than without us: each completes,
 * and leaves nothing behind.
 */
const { skip } = available;

const POLICY = { snapshotsToRetain: 2, restore: { readyWithin: "25s", handBackAfter: "12s" } };

const DRIVERS = [
  { name: "array.csi.snapshot-retainer.io", limit: 4, classes: [{ name: "array-left" }] },
  { name: "other.csi.snapshot-retainer.io", limit: 4 },
];

interface Failure {
  /** Also the namespace. */
  readonly name: string;
  readonly what: string;
  readonly inject: (array: StorageArray, snapshot: string) => Promise<void>;
  readonly storageClassName?: string;
  readonly from: "data movement" | "retained snapshot";
  /** Of the decision that stands on the DataDownload. */
  readonly because: RegExp;
}

const FAILURES: readonly Failure[] = [
  {
    name: "lost",
    what: "the array has lost the snapshot",
    inject: async (array, snapshot) => array.lose(snapshot),
    from: "data movement",
    because: /handed back to Velero: /,
  },
  {
    name: "unready",
    what: "the snapshot does not become ready in time",
    inject: async (array, snapshot) => array.setReady(snapshot, false),
    from: "data movement",
    because: /handed back to Velero: /,
  },
  {
    name: "failing",
    what: "the array cannot make a volume from it",
    inject: async (array, snapshot) => array.setFault(snapshot, { code: "INTERNAL" }),
    from: "data movement",
    because: /handed back to Velero: /,
  },
  {
    name: "full",
    what: "the array has no room for a volume",
    inject: async (array, snapshot) => array.setFault(snapshot, { code: "RESOURCE_EXHAUSTED" }),
    from: "data movement",
    because: /handed back to Velero: /,
  },
  {
    name: "slow",
    what: "the array does not make a volume in time",
    inject: async (array, snapshot) => array.setFault(snapshot, { hold: true }),
    from: "data movement",
    because: /handed back to Velero: there was no volume within /,
  },
  {
    name: "refused",
    what: "an admission policy refuses the claim that is made from it",
    inject: async () => undefined,
    from: "data movement",
    because: /handed back to Velero: .*no claims for this one/,
  },
  {
    name: "foreign",
    what: "the target's class is of another driver",
    inject: async () => undefined,
    storageClassName: "array-left",
    from: "data movement",
    because: /other\.csi\.snapshot-retainer\.io/,
  },
  {
    name: "stumbling",
    what: "the array makes the volume at the second attempt",
    inject: async (array, snapshot) => array.setFault(snapshot, { code: "INTERNAL", times: 1 }),
    from: "retained snapshot",
    because: /^from retained snapshot /,
  },
];

/** Those in which the controller is stopped, one after the other. */
const LATER = ["down", "taken-away"];

describe("a restore completes", { skip, timeout: 600_000 }, () => {
  let bed: Bed;
  /** By namespace. */
  const retained = new Map<string, string>();

  before(async () => {
    bed = await startBed({ policy: POLICY, drivers: DRIVERS, velero: { nodes: 6 } });
    const volumes = [...FAILURES, ...LATER.map((name) => ({ name, storageClassName: "array" }))];
    await Promise.all([
      ...volumes.map(async ({ name: namespace, storageClassName = "array" }) =>
        bed.volume({ namespace, name: "data", storageClassName }),
      ),
      bed.api.create(OTHER_CLASS),
      bed.cluster.kubectl(["apply", "-f", "-"], { stdin: asList(REFUSAL) }),
    ]);
    const namespaces = volumes.map(({ name }) => name);
    await backUp(bed.velero, "night", ...namespaces);
    for (const namespace of namespaces) {
      retained.set(namespace, await retainedOf(bed, "night", { namespace, name: "data" }));
    }
  });
  after(async () => bed.stop());

  async function beginRestore(namespace: string): Promise<void> {
    await bed.velero.beginRestore(namespace, {
      backup: "night",
      namespaceMappings: { [namespace]: `${namespace}-too` },
      flags: [`--include-namespaces=${namespace}`],
    });
  }

  async function completesFrom(namespace: string, from: Failure["from"], because: RegExp): Promise<void> {
    const { phase, errors } = await bed.velero.restoreEnded(namespace);
    assert.deepEqual({ phase, errors }, { phase: "Completed", errors: 0 });
    const { source } = await restoredFrom(bed, { namespace: `${namespace}-too`, name: "data" });
    assert.equal(source, from === "data movement" ? undefined : retained.get(namespace));
    const [decision = ""] = await decisionsOf(bed.api, namespace);
    assert.match(decision, because);
    assert.ok(decision.includes(from), decision);
  }

  describe("when", { concurrency: true }, () => {
    for (const { name, what, inject, from, because } of FAILURES) {
      test(`${what}: from ${from}`, async () => {
        const { array } = bed.cluster;
        const snapshot = retained.get(name) ?? "";
        await inject(array, snapshot);
        await beginRestore(name);
        await completesFrom(name, from, because);
        await array.setFault(snapshot, undefined);
        if (name === "unready") await array.setReady(snapshot, true);
        await nothingLeftOf(bed, name);
      });
    }
  });

  test("when the controller is down for longer than the policy says: from data movement", async () => {
    await killControllers(bed);
    await beginRestore("down");
    await completesFrom("down", "data movement", /^by data movement: /);
    await (await bed.product.startController()).ready();
  });

  test("when the retained content is deleted before the controller looks at it: from data movement", async () => {
    await untilLed(bed);
    await killControllers(bed);
    await beginRestore("taken-away");
    await reaches(bed, "taken-away", "asked");
    const snapshot = retained.get("taken-away") ?? "";
    await freeByHand(bed, snapshot);
    await (await bed.product.startController()).ready();
    await completesFrom("taken-away", "data movement", /^by data movement: /);
  });

  test("and a DataDownload made by hand, with another's source, reads no snapshot and is Velero's", async () => {
    const tenants = await aClaimLikeOurs(bed);
    const [signed] = await downloadsOf(bed.api, "stumbling");
    assert.ok(signed);
    const { annotations } = signed.metadata;
    const metadata = { name: "by-hand", namespace: "velero", annotations };
    const spec = { ...signed.spec, targetVolume: { namespace: "default", pvc: "data", pv: "" } };
    const copy: Manifest = { apiVersion: signed.apiVersion, kind: signed.kind, metadata, spec };
    const { object } = await bed.api.create(copy);
    await eventually("it is handed back", async () => {
      const now = await bed.api.read(object);
      assert.match(
        now.metadata.annotations[RESTORE_DECISION_ANNOTATION] ?? "",
        /not written there by our webhook/,
      );
      assert.equal(now.spec["datamover"], undefined);
    });
    await bed.api.remove(object);
    // Whoever names and labels a claim like ours does not have it cleaned up.
    assert.equal((await bed.api.read(tenants)).metadata["deletionTimestamp"], undefined);
    await bed.api.patch(tenants, { metadata: { labels: { [DATA_DOWNLOAD_LABEL]: null } } });
    await nothingLeft(bed);
  });

  test("and nothing is left of any, and what is retained stays so", async () => {
    await nothingLeft(bed);
    for (const [namespace, snapshot] of retained) {
      if (namespace !== "lost" && namespace !== "taken-away") await isStillRetained(bed, snapshot);
    }
  });
});

/** A tenant's claim, bound, with the name, the label and the annotation of one that a restore made. */
async function aClaimLikeOurs(bed: Bed): Promise<Stored> {
  const { api } = bed;
  const { claim } = await bed.volume({ namespace: "tenant", name: restoreName("mine") });
  await api.patch(claim, {
    metadata: {
      labels: { [DATA_DOWNLOAD_LABEL]: "mine" },
      annotations: { [DATA_DOWNLOAD_ANNOTATION]: "tenant/none" },
    },
  });
  return api.read(claim);
}

async function killControllers({ product }: Bed): Promise<void> {
  await Promise.all(product.runningControllers().map(async (each) => each.stop("SIGKILL")));
}

/** As an admin frees one for good, past everything of ours. */
async function freeByHand({ api, cluster }: Bed, snapshot: string): Promise<void> {
  const contents = await api.list("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent");
  const content = contents.find(({ status }) => status["snapshotHandle"] === snapshot);
  const { name = "" } = content?.metadata ?? {};
  await api.patch(aContent(name), { spec: { deletionPolicy: "Delete" } });
  await api.remove(aContent(name));
  await eventually("the snapshot is freed", async () => {
    const { snapshots } = await cluster.array.state();
    assert.ok(!snapshots.some(({ id }) => id === snapshot));
  });
}

/** Velero is to restore volumes of this class into one of another driver. */
const OTHER_CLASS = aChangeOfClass({ "array-left": "other" });

/** Of the restore "refused" no claim is made, which stands for quotas and policies of any kind. */
const REFUSAL = [
  {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicy",
    metadata: { name: "no-claims" },
    spec: {
      failurePolicy: "Fail",
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: [""],
            apiVersions: ["v1"],
            operations: ["CREATE"],
            resources: ["persistentvolumeclaims"],
          },
        ],
      },
      validations: [
        {
          expression:
            "!object.metadata.?annotations['snapshot-retainer.io/data-download'].orValue('').startsWith('velero/refused-')",
          message: "no claims for this one",
        },
      ],
    },
  },
  {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name: "no-claims" },
    spec: { policyName: "no-claims", validationActions: ["Deny"] },
  },
];
