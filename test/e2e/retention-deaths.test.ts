import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { MoverBehaviour, Movement } from "../cluster/data-mover-stand-in.ts";
import { eventually } from "./eventually.ts";
import { uploadsOf } from "./real-velero.ts";
import { available, holds, PATIENCE_MS, startBed, uploadIn } from "./retention-bed.ts";
import type { Bed, BedVolume } from "./retention-bed.ts";
import { aContent } from "./velero.ts";

/** Velero's own programs are killed in each phase of an upload: a snapshot stays if its data was copied, and only then. */
const { skip } = available;

const DRIVERS = [
  { name: "array.csi.snapshot-retainer.io", limit: 2 },
  // Refuses every snapshot, so that a backup of one of its volumes goes on and on.
  { name: "stuck.csi.snapshot-retainer.io", limit: 0 },
];
const POLICY = {
  snapshotsToRetain: 2,
  ceilings: { drivers: { "array.csi.snapshot-retainer.io": 2 } },
};
const VELERO_OPTIONS = {
  nodes: 1,
  // One that has to wait for another stays Prepared.
  movementsAtOnce: 1,
  // Half an hour else; what a dead node-agent has begun is given up after it, by one that looks once a minute.
  nodeAgentFlags: ["--data-mover-prepare-timeout=30s"],
};

describe("a snapshot stays only if its upload completes,", { skip, timeout: 900_000 }, () => {
  let bed: Bed;
  /** By Backup; "ok" for all others. */
  const behaviours = new Map<string, MoverBehaviour>();

  before(async () => {
    bed = await startBed({ policy: POLICY, drivers: DRIVERS, velero: VELERO_OPTIONS });
    bed.velero.setMoverBehaviour(({ backup }: Movement) => behaviours.get(backup) ?? "ok");
  });
  after(async () => bed.stop());

  test("and its Backup does not fail with a server that is killed after it", async () => {
    const volume = await bed.volume({ namespace: "failing", name: "data" });
    await bed.volume({ namespace: "failing", name: "stuck", storageClassName: "stuck" });
    await bed.velero.beginBackup("failing", { namespaces: ["failing"] });
    await uploadIn(bed, "failing", "Completed");
    await holds(volume, 1);
    bed.velero.kill("server", "SIGKILL");
    await bed.velero.start("server");
    assert.equal((await bed.velero.ended("failing")).phase, "Failed");
    await holds(volume);
  });

  describe("when the node-agent is killed", () => {
    test("before it takes up the upload", async () => {
      bed.velero.kill("node-agent", "SIGKILL");
      const volume = await begin("begun");
      await uploadIn(bed, "begun", "");
      await bed.velero.start("node-agent");
      await staysOnlyIfCompleted(volume, "begun");
    });

    test("when it has taken up the upload", async () => {
      const volume = await begin("accepted");
      await uploadIn(bed, "accepted", "Accepted", "Prepared", "InProgress");
      await restart();
      await staysOnlyIfCompleted(volume, "accepted");
    });

    test("while it takes the original away", async () => {
      const volume = await begin("taking-away");
      await originalIsRetained("taking-away");
      await restart();
      await staysOnlyIfCompleted(volume, "taking-away");
    });

    test("when all is prepared", async () => {
      behaviours.set("before-it", "hang");
      const first = await begin("before-it");
      await uploadIn(bed, "before-it", "InProgress");
      const volume = await begin("prepared");
      await uploadIn(bed, "prepared", "Prepared");
      await restart();
      behaviours.delete("before-it");
      await staysOnlyIfCompleted(first, "before-it");
      await staysOnlyIfCompleted(volume, "prepared");
    });

    test("while the data is copied", async () => {
      behaviours.set("copying", "hang");
      const volume = await begin("copying");
      await uploadIn(bed, "copying", "InProgress");
      await restart();
      behaviours.delete("copying");
      await staysOnlyIfCompleted(volume, "copying");
    });

    test("when it has cleaned up and not yet said that the upload completed", async () => {
      behaviours.set("cleaned-up", "hang");
      const volume = await begin("cleaned-up");
      const upload = await uploadIn(bed, "cleaned-up", "InProgress");
      const speak = await forbidCompletion();
      behaviours.delete("cleaned-up");
      await eventually(
        "it has cleaned up",
        async () => {
          const { name, namespace } = upload.metadata;
          const kind = "VolumeSnapshot";
          const clone = { ...SNAPSHOTS, kind, metadata: { name, namespace } };
          assert.equal(await bed.api.find(clone), undefined);
        },
        PATIENCE_MS,
      );
      await restart();
      await speak();
      await staysOnlyIfCompleted(volume, "cleaned-up");
    });
  });

  /** Begins a backup of a new volume in a namespace of its own. */
  async function begin(name: string): Promise<BedVolume> {
    const volume = await bed.volume({ namespace: name, name: "data" });
    await bed.velero.beginBackup(name, { namespaces: [name] });
    return volume;
  }

  async function restart(): Promise<void> {
    bed.velero.kill("node-agent", "SIGKILL");
    await bed.velero.start("node-agent");
  }

  /** It exists with the policy Retain for some two seconds; where nobody saw that, the clone alone is there. */
  async function originalIsRetained(backup: string): Promise<void> {
    const upload = await uploadIn(bed, backup, "Accepted", "Prepared", "InProgress");
    await eventually(
      "the original is set to Retain",
      async () => {
        const contents = await bed.api.list(SNAPSHOTS.apiVersion, "VolumeSnapshotContent");
        const original = contents.find(({ spec, metadata }) => {
          const isOriginal = "volumeHandle" in Object(spec["source"]);
          return isOriginal && metadata.labels["snapshot-retainer.io/backup-name"] === backup;
        });
        if (original === undefined) assert.ok(await bed.api.find(aContent(upload.metadata.name)));
        else assert.equal(original.spec["deletionPolicy"], "Retain");
      },
      PATIENCE_MS,
    );
  }

  async function staysOnlyIfCompleted(volume: BedVolume, backup: string): Promise<void> {
    await bed.velero.ended(backup);
    const [upload] = await uploadsOf(bed.api, backup);
    await (upload?.status["phase"] === "Completed" ? holds(volume, 1) : holds(volume));
  }

  /** The API server refuses what would say that an upload completed, until what this resolves to is called. */
  async function forbidCompletion(): Promise<() => Promise<void>> {
    await bed.cluster.kubectl(["create", "-f", "-"], { stdin: JSON.stringify(NO_COMPLETION) });
    await eventually("it is in force", async () => {
      const [upload] = await uploadsOf(bed.api, "cleaned-up");
      assert.ok(upload);
      const completed = { status: { phase: "Completed" } };
      await assert.rejects(bed.api.patch(upload, completed, { dryRun: true }));
    });
    return async () => {
      for (const { kind, metadata } of NO_COMPLETION.items) {
        await bed.cluster.kubectl(["delete", kind, metadata.name]);
      }
    };
  }
});

const SNAPSHOTS = { apiVersion: "snapshot.storage.k8s.io/v1" } as const;

const ADMISSION = { apiVersion: "admissionregistration.k8s.io/v1" } as const;
const metadata = { name: "no-completion" };
const NO_COMPLETION = {
  apiVersion: "v1",
  kind: "List",
  items: [
    {
      ...ADMISSION,
      kind: "ValidatingAdmissionPolicy",
      metadata,
      spec: {
        matchConstraints: {
          resourceRules: [
            {
              apiGroups: ["velero.io"],
              apiVersions: ["*"],
              resources: ["datauploads"],
              operations: ["UPDATE"],
            },
          ],
        },
        matchConditions: [
          { name: "of-this", expression: "object.metadata.labels['velero.io/backup-name'] == 'cleaned-up'" },
        ],
        validations: [{ expression: "object.?status.?phase.orValue('') != 'Completed'" }],
      },
    },
    {
      ...ADMISSION,
      kind: "ValidatingAdmissionPolicyBinding",
      metadata,
      spec: { policyName: metadata.name, validationActions: ["Deny"] },
    },
  ],
} as const;
