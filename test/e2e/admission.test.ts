import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as z from "zod";
import { ACME_IN_ITS_NAMESPACE } from "../builders/policy.ts";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { createApi } from "./api.ts";
import type { Answer, Api, Ref, Stored } from "./api.ts";
import { assertCode, assertNotSent, auditOf, auditOfCreation } from "./audit.ts";
import { eventually } from "./eventually.ts";
import { readMetric } from "./metrics.ts";
import {
  aBackup,
  aClaim,
  aCloneContent,
  aCloneSnapshot,
  aDataUpload,
  aGroupMember,
  aGroupSnapshot,
  aName,
  anAcmeSnapshot,
  anOrdinarySnapshot,
  aTemporaryContent,
  aVolumeSnapshot,
  veleroLabel,
} from "./objects.ts";
import type { Manifest } from "./objects.ts";
import { installProduct, NAMESPACE } from "./product.ts";
import type { Product } from "./product.ts";
import { aReview, rawPost, responseOf } from "./raw-post.ts";
import { startSecondWebhook } from "./second-webhook.ts";
import type { SecondWebhook } from "./second-webhook.ts";
import { aContent, deleteOriginal, expose, requestUpload, takeSnapshot, VELERO } from "./velero.ts";
import type { Original } from "./velero.ts";

const { binaries, skip } = await availableBinaries("demo");

const LIMIT = "backup.velero.io/data-mover-snapshot-to-retain";
const ALIAS = "velero.io/snapshot-alias-name";
const VOLUME = "velero.io/snapshot-volume-name";
const BACKUP = "snapshot-retainer.io/backup-name";
const RETAINED = "snapshot-retainer.io/retained";
const INHERITED = "snapshot-retainer.io/inherited";
const RETAIN = "snapshot-retainer.io/retain";
const MANAGED_BY = "snapshot.storage.kubernetes.io/managed-by";
const ADDED = "audit.example/kept-by-law";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const TENANT = "system:serviceaccount:shop:tenant";
const MOVER = "system:serviceaccount:acme-mover:mover";
const SNAPSHOT_CONTROLLER = "system:serviceaccount:kube-system:snapshot-controller";

const POLICY = {
  snapshotsToRetain: 3,
  ceilings: { drivers: { "array.csi.snapshot-retainer.io": 10 } },
  dataMovers: { accounts: ["system:serviceaccount:acme-mover:*"] },
  snapshotAssociatedObjects: [{ ...ACME_IN_ITS_NAMESPACE, accounts: [MOVER] }],
};

/** A namespace and a claim whose `namespace.name` is longer than a label value. */
const LONG_NAMESPACE = "the-department-of-rather-long-names-and-even-longer-acronyms";
const LONG_CLAIM = "data-of-the-database-with-a-name-that-its-operator-generated-from-three-others-0";

/** Namespaces, accounts and rights of people who are neither Velero nor ourselves. */
const PEOPLE = `
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Namespace
metadata: { name: acme-mover }
---
apiVersion: v1
kind: Namespace
metadata: { name: ${LONG_NAMESPACE} }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: snapshot-user }
rules:
  - { apiGroups: [snapshot.storage.k8s.io], resources: [volumesnapshots], verbs: [get, create, update, patch] }
  - { apiGroups: [""], resources: [configmaps], verbs: [get, create, update, patch] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: tenant, namespace: shop }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: snapshot-user }
subjects: [{ kind: ServiceAccount, name: tenant, namespace: shop }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: movers, namespace: acme-mover }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: snapshot-user }
subjects:
  - { kind: ServiceAccount, name: mover, namespace: acme-mover }
  - { kind: ServiceAccount, name: tenant, namespace: shop }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: content-user }
rules:
  - { apiGroups: [snapshot.storage.k8s.io], resources: [volumesnapshotcontents], verbs: [get, create, update, patch] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: mover }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: content-user }
subjects: [{ kind: ServiceAccount, name: mover, namespace: acme-mover }]
`;

describe("admission on a real control plane", { skip, timeout: 240_000 }, () => {
  let cluster: Cluster;
  let api: Api;
  let product: Product;
  /** The claim that most snapshots are taken of, and one with labels that only we may set. */
  let claim: Stored;
  let forgedClaim: Stored;
  let longClaim: Stored;
  /** Made before the webhook was there. */
  let ordinaryContent: Stored;
  let temporaryBefore: Stored;

  before(async () => {
    cluster = await startCluster(binaries === undefined ? {} : { binaries });
    api = await createApi(cluster);
    await cluster.kubectl(["apply", "-f", "-"], { stdin: PEOPLE });
    claim = await created(aClaim({ name: "data", namespace: "shop", labels: { app: "shop" } }));
    longClaim = await created(aClaim({ name: LONG_CLAIM, namespace: LONG_NAMESPACE }));
    const forged = { [ALIAS]: "stolen", [VOLUME]: "shop.data", [BACKUP]: "mine", [RETAINED]: "true" };
    forgedClaim = await created(
      aClaim({ name: "forged", namespace: "shop", labels: { app: "evil", ...forged } }),
    );
    ordinaryContent = await contentOf(
      (await api.create(anOrdinarySnapshot({ namespace: "shop", claim: "data" }))).object,
    );
    temporaryBefore = (await api.create(aTemporaryContent(marked(ordinaryContent)), { as: VELERO })).object;
    product = await installProduct(cluster, { policy: POLICY });
  });

  after(async () => {
    await product.stop();
    await cluster.stop();
  });

  /** The content of a VolumeSnapshot, once its snapshot exists on the storage. */
  async function contentOf(snapshot: Ref): Promise<Stored> {
    return eventually("the snapshot has a handle", async () => {
      const bound = z.string().parse((await api.read(snapshot)).status["boundVolumeSnapshotContentName"]);
      const content = await api.read(aContent(bound));
      assert.ok(content.status["snapshotHandle"] !== undefined);
      return content;
    });
  }

  async function created(manifest: Manifest): Promise<Stored> {
    return (await api.create(manifest)).object;
  }

  async function eventsOf(name: string): Promise<Stored[]> {
    return api.list("v1", "Event", `fieldSelector=involvedObject.name=${name}`);
  }

  /** Deletes what is remembered of originals, as if there had never been any, and lets a new process start with that. */
  async function restart({ forget }: { readonly forget: boolean }): Promise<void> {
    await Promise.all(product.running().map(async (replica) => replica.stop("SIGKILL")));
    if (forget) {
      await api.remove({ apiVersion: "v1", kind: "ConfigMap", metadata: ORIGINALS });
    }
    await (await product.startReplica()).ready();
  }

  describe("a Backup that is created", () => {
    test("gets the policy's number, and nobody is warned", async () => {
      const { object, warnings, auditId } = await api.create(aBackup());
      assert.deepEqual(object.metadata.annotations, { [LIMIT]: "3" });
      assert.deepEqual(object.metadata.labels, {});
      assert.deepEqual(warnings, []);
      assert.deepEqual((await auditOf(cluster, auditId)).ours, {
        code: "limit_set",
        limit: "3",
        reason: "the policy's snapshotsToRetain",
      });
    });

    test("gets the policy's number also where the server's default decides whether it moves data", async () => {
      const { object } = await api.create(aBackup({ spec: { includedNamespaces: ["shop"] } }));
      assert.equal(object.metadata.annotations[LIMIT], "3");
      assert.equal("snapshotMoveData" in object.spec, false);
    });

    test("gets the policy's number when a Schedule made it, whatever number the Schedule passes on", async () => {
      const name = aName("nightly");
      const { object } = await api.create(
        aBackup({
          name,
          labels: { "velero.io/schedule-name": "nightly" },
          annotations: { [LIMIT]: "50", "owner.example/team": "shop" },
        }),
        { as: VELERO },
      );
      assert.deepEqual(object.metadata.annotations, { [LIMIT]: "3", "owner.example/team": "shop" });
    });

    test("has a user's number overwritten, with a warning for the user and an Event on the Backup", async () => {
      const manifest = aBackup({
        annotations: { [LIMIT]: "7", "snapshot-retainer.io/requested-limit": "7" },
      });
      const name = manifest.metadata.name ?? "";
      const { stderr } = await cluster.kubectl(["create", "-f", "-"], { stdin: JSON.stringify(manifest) });
      assert.match(
        stderr,
        /^Warning: snapshot-retainer: backup\.velero\.io\/data-mover-snapshot-to-retain: 7 was replaced by 3: .*\(policy: ConfigMap snapshot-retainer\/snapshot-retainer-policy\)/,
      );
      assert.deepEqual((await api.read(manifest)).metadata.annotations, { [LIMIT]: "3" });
      await eventually("kubectl describe shows the Event", async () => {
        const { stdout } = await cluster.kubectl(["describe", "backup", name, "-n", "velero"]);
        assert.match(stdout, /Warning\s+LimitOverwritten\s.*7 was replaced by 3/);
      });
    });

    for (const text of ["three", "2.5", "", "99999999999", "1e1"]) {
      test(`has ${JSON.stringify(text)} treated as no number at all, with a warning`, async () => {
        const { object, warnings, auditId } = await api.create(aBackup({ annotations: { [LIMIT]: text } }));
        assert.equal(object.metadata.annotations[LIMIT], "3");
        assert.match(warnings.join("\n"), /is not a whole number/);
        await assertCode(cluster, auditId, "limit_invalid");
      });
    }

    test("is left alone when it does not move data", async () => {
      const manifest = aBackup({ spec: { snapshotMoveData: false }, annotations: { [LIMIT]: "7" } });
      const { object, warnings } = await api.create(manifest);
      assertAsSent(object, manifest);
      assert.deepEqual(warnings, []);
    });

    test("is not even sent when Velero's sync controller brings it with a phase", async () => {
      const manifest = aBackup({ status: { phase: "Completed" }, annotations: { [LIMIT]: "9" } });
      const { object, auditId } = await api.create(manifest, { as: VELERO });
      assertAsSent(object, manifest);
      await assertNotSent(cluster, auditId);
    });

    test("gets its number when it comes with the phase New", async () => {
      const { object } = await api.create(aBackup({ status: { phase: "New" } }));
      assert.equal(object.metadata.annotations[LIMIT], "3");
    });

    test("is not even sent from a namespace without a Velero", async () => {
      const manifest = aBackup({ namespace: "shop" });
      const { object, auditId } = await api.create(manifest);
      assertAsSent(object, manifest);
      await assertNotSent(cluster, auditId);
    });
  });

  describe("a Backup that is updated", () => {
    test("gets its number back when a user removes it, and keeps the user's other changes", async () => {
      const { object } = await api.create(aBackup());
      const { stderr } = await cluster.kubectl([
        "annotate",
        `backup/${object.metadata.name}`,
        "--namespace=velero",
        `${LIMIT}-`,
        "owner.example/team=shop",
      ]);
      assert.match(
        stderr,
        /^Warning: snapshot-retainer: backup\.velero\.io\/data-mover-snapshot-to-retain put back: only Velero/,
      );
      assert.deepEqual((await api.read(object)).metadata.annotations, {
        [LIMIT]: "3",
        "owner.example/team": "shop",
      });
    });

    test("gets its number back when a user changes it or removes all annotations", async () => {
      const { object } = await api.create(aBackup());
      for (const annotations of [{ [LIMIT]: "7" }, null]) {
        const { object: now, warnings, auditId } = await api.patch(object, { metadata: { annotations } });
        assert.deepEqual(now.metadata.annotations, { [LIMIT]: "3" });
        assert.match(warnings.join("\n"), /put back/);
        await assertCode(cluster, auditId, "put_back");
      }
    });

    test("loses a number that a user adds later", async () => {
      const { object } = await api.create(aBackup({ status: { phase: "Completed" } }), { as: VELERO });
      const { object: now, warnings } = await api.patch(object, {
        metadata: { annotations: { [LIMIT]: "7" } },
      });
      assert.deepEqual(now.metadata.annotations, {});
      assert.match(warnings.join("\n"), /removed again/);
    });

    test("may have its number changed by Velero", async () => {
      const { object } = await api.create(aBackup());
      const change = { metadata: { annotations: { [LIMIT]: "1" } } };
      const { object: now, warnings } = await api.patch(object, change, { as: VELERO });
      assert.equal(now.metadata.annotations[LIMIT], "1");
      assert.deepEqual(warnings, []);
    });

    test("is not even sent when nothing of ours changes", async () => {
      const { object } = await api.create(aBackup());
      const { auditId } = await api.patch(object, { status: { phase: "InProgress" } }, { as: VELERO });
      await assertNotSent(cluster, auditId);
    });
  });

  describe("an original", () => {
    test("gets an alias of its own and the name of its volume, on the VolumeSnapshot and on the content", async () => {
      const backup = await aStoredBackup();
      const [first, second] = await Promise.all([
        takeSnapshot(api, claim, backup),
        takeSnapshot(api, claim, backup),
      ]);
      for (const { snapshot, content } of [first, second]) {
        assert.match(snapshot.metadata.labels[ALIAS] ?? "", UUID);
        assert.deepEqual(snapshot.metadata.labels, {
          app: "shop",
          "velero.io/backup-name": backup,
          [ALIAS]: snapshot.metadata.labels[ALIAS],
          [VOLUME]: "shop.data",
        });
        assert.deepEqual(content.metadata.labels, {
          [ALIAS]: snapshot.metadata.labels[ALIAS],
          [VOLUME]: "shop.data",
          [BACKUP]: backup,
        });
        assert.ok((snapshot.metadata.annotations[INHERITED] ?? "") !== "");
        assert.ok((content.metadata.annotations[INHERITED] ?? "") !== "");
        const { calls, ours } = await auditOfCreation(
          cluster,
          "volumesnapshotcontents",
          content.metadata.name,
        );
        assert.equal(ours["code"], "labelled");
        assert.equal(calls.length, 1);
      }
      assert.notEqual(first.snapshot.metadata.labels[ALIAS], second.snapshot.metadata.labels[ALIAS]);
    });

    test("has a long name of its volume or its Backup shortened as Velero shortens names", async () => {
      const backup = (await api.create(aBackup({ name: aName(`nightly-${"x".repeat(70)}`) }))).object.metadata
        .name;
      const { snapshot, content } = await takeSnapshot(api, longClaim, backup);
      const wanted = veleroLabel(`${LONG_NAMESPACE}.${LONG_CLAIM}`);
      assert.equal(wanted.length, 63);
      assert.equal(snapshot.metadata.labels[VOLUME], wanted);
      assert.equal(content.metadata.labels[VOLUME], wanted);
      assert.equal(content.metadata.labels[BACKUP], veleroLabel(backup));
    });

    test("takes nothing from labels that a claim's owner forged, and nor do its clones", async () => {
      const original = await takeSnapshot(api, forgedClaim, await aStoredBackup());
      const { labels } = original.snapshot.metadata;
      assert.match(labels[ALIAS] ?? "", UUID);
      assert.equal(labels[VOLUME], "shop.forged");
      assert.deepEqual(
        Object.keys(labels).toSorted(),
        ["app", "velero.io/backup-name", ALIAS, VOLUME].toSorted(),
      );
      const clones = await expose(api, original, aName("clone"));
      assert.equal(clones.snapshot.object.metadata.labels[VOLUME], "shop.forged");
      assert.equal(clones.content.object.metadata.labels[VOLUME], "shop.forged");
      assert.equal(clones.content.object.metadata.labels[RETAINED], undefined);
      assert.equal(clones.snapshot.object.metadata.labels[RETAINED], undefined);
    });

    test("is left without labels when its Backup does not move data, also without those a claim's owner forged", async () => {
      const backup = (await api.create(aBackup({ spec: { snapshotMoveData: false } }))).object.metadata.name;
      const { object, auditId } = await api.create(aVolumeSnapshot({ claim: forgedClaim, backup }), {
        as: VELERO,
      });
      assert.deepEqual(object.metadata.labels, { app: "evil", "velero.io/backup-name": backup });
      assert.deepEqual(object.metadata.annotations, {});
      await assertCode(cluster, auditId, "forged_removed");
      const plain = await api.create(aVolumeSnapshot({ claim, backup }), { as: VELERO });
      assert.deepEqual(plain.object.metadata.labels, { app: "shop", "velero.io/backup-name": backup });
      await assertCode(cluster, plain.auditId, "does_not_move");
    });

    test("is not what somebody else makes with Velero's label", async () => {
      const labels = { "velero.io/backup-name": "a-backup" };
      const manifest = anOrdinarySnapshot({ namespace: "shop", claim: "data", labels });
      const { object } = await api.create(manifest, { as: TENANT });
      assertAsSent(object, manifest);
    });
  });

  describe("clones as Velero's exposer makes them", () => {
    test("inherit all labels of their originals, but for those that must not travel", async () => {
      const backup = await aStoredBackup();
      const original = await takeSnapshot(api, claim, backup);
      const { object: upload } = await requestUpload(api, claim, original.snapshot, backup);
      const added = { [ADDED]: "2036", [MANAGED_BY]: "node-1", "velero.io/backup-name": "somebody-added-it" };
      await api.patch(original.content, { metadata: { labels: added } });
      await remembered(original.content, "2036");
      const clones = await expose(api, original, aName("clone"));
      assert.deepEqual(clones.snapshot.object.metadata.labels, original.snapshot.metadata.labels);
      assert.deepEqual(clones.content.object.metadata.labels, {
        ...original.content.metadata.labels,
        [ADDED]: "2036",
      });
      assert.equal(upload.metadata.labels[ALIAS], original.snapshot.metadata.labels[ALIAS]);
      await assertCode(cluster, clones.snapshot.auditId, "inherited");
      await assertCode(cluster, clones.content.auditId, "inherited");
    });

    test("differ from what Velero sent in labels and our one annotation alone", async () => {
      const original = await takeSnapshot(api, claim, await aStoredBackup());
      const name = aName("clone");
      const { snapshot, content } = await expose(api, original, name);
      assert.notEqual(content.object.metadata.labels[ALIAS], undefined);
      const sent = aCloneContent({ name, of: original.content, ref: snapshot.object });
      assert.deepEqual(content.object.spec, sent.spec);
      assert.deepEqual(
        withoutInherited(content.object.metadata.annotations),
        withoutInherited(original.content.metadata.annotations),
      );
      assert.deepEqual(snapshot.object.spec, aCloneSnapshot({ name }).spec);
      assert.deepEqual(content.warnings, []);
      assert.deepEqual(snapshot.warnings, []);
    });
  });

  describe("each source alone suffices for a clone:", () => {
    let byAnnotation: Original;
    let byUpload: Original;
    let upload: Stored;
    let byHandle: Original;

    before(async () => {
      const backup = await aStoredBackup();
      [byAnnotation, byUpload, byHandle] = await Promise.all([
        takeSnapshot(api, claim, backup),
        takeSnapshot(api, claim, backup),
        takeSnapshot(api, claim, backup),
      ]);
      upload = (await requestUpload(api, claim, byUpload.snapshot, backup)).object;
      await remembered(byAnnotation.content);
      await Promise.all([deleteOriginal(api, byAnnotation), deleteOriginal(api, byUpload)]);
      await restart({ forget: true });
    });

    test("the annotation that the data mover copied", async () => {
      const { snapshot, content } = await expose(api, byAnnotation, aName("clone"));
      assert.deepEqual(snapshot.object.metadata.labels, byAnnotation.snapshot.metadata.labels);
      assert.deepEqual(content.object.metadata.labels, byAnnotation.content.metadata.labels);
    });

    test("the DataUpload of the clone's name", async () => {
      const { name } = upload.metadata;
      const snapshot = await api.create(aCloneSnapshot({ name }), { as: VELERO });
      const content = await api.create(aCloneContent({ name, of: byUpload.content, ref: snapshot.object }), {
        as: VELERO,
      });
      assert.deepEqual(snapshot.object.metadata.labels, byUpload.snapshot.metadata.labels);
      assert.deepEqual(content.object.metadata.labels, byUpload.content.metadata.labels);
    });

    test("the original with the same handle, for another data mover's names", async () => {
      await api.patch(byHandle.content, { metadata: { labels: { [ADDED]: "2036" } } });
      await remembered(byHandle.content, "2036");
      const { content, snapshot } = await cloneAsMover(byHandle.content);
      assert.deepEqual(content.object.metadata.labels, {
        ...byHandle.content.metadata.labels,
        [ADDED]: "2036",
      });
      assert.equal(snapshot.object.metadata.labels[ALIAS], byHandle.content.metadata.labels[ALIAS]);
      assert.equal(snapshot.object.metadata.labels[VOLUME], "shop.data");
    });

    test("the handle alone, also for a clone made before its content, once the two are bound", async () => {
      const name = aName("mover");
      const { object: early } = await api.create(aCloneSnapshot({ name, namespace: "acme-mover" }), {
        as: MOVER,
      });
      assert.deepEqual(early.metadata.labels, {});
      const ref = { namespace: "acme-mover", name };
      await api.create(aCloneContent({ name, of: byHandle.content, ref }), { as: MOVER });
      await eventually(`${name} is labelled`, async () => {
        const { labels } = (await api.read(early)).metadata;
        assert.equal(labels[ALIAS], byHandle.content.metadata.labels[ALIAS]);
        assert.equal(labels[VOLUME], "shop.data");
      });
    });

    test("the memory of an original that is gone, also after every replica was killed", async () => {
      const original = await takeSnapshot(api, claim, await aStoredBackup());
      await api.patch(original.content, { metadata: { labels: { [ADDED]: "2036" } } });
      await remembered(original.content, "2036");
      await deleteOriginal(api, original);
      await restart({ forget: false });
      const { content, snapshot } = await cloneAsMover(original.content);
      assert.deepEqual(content.object.metadata.labels, {
        ...original.content.metadata.labels,
        [ADDED]: "2036",
      });
      assert.equal(snapshot.object.metadata.labels[ALIAS], original.content.metadata.labels[ALIAS]);
    });

    test("and without any, nothing is made up", async () => {
      const { object, auditId } = await api.create(
        aCloneContent({
          name: aName("import"),
          of: ordinaryContent,
          ref: { namespace: "shop", name: aName("import") },
        }),
      );
      assert.deepEqual(object.metadata.labels, {});
      await assertCode(cluster, auditId, "no_original");
    });
  });

  describe("a DataUpload", () => {
    test("gets its snapshot's labels, and whether to retain with the number and the reason in words", async () => {
      const backup = await aStoredBackup();
      const { snapshot } = await takeSnapshot(api, claim, backup);
      const { object, auditId } = await requestUpload(api, claim, snapshot, backup);
      const { labels, annotations } = object.metadata;
      const { "velero.io/pvc-uid": _uid, ...others } = labels;
      assert.deepEqual(others, {
        "velero.io/backup-name": backup,
        [ALIAS]: snapshot.metadata.labels[ALIAS],
        [VOLUME]: "shop.data",
      });
      assert.deepEqual(withoutInherited(annotations), {
        [RETAIN]: "true",
        "snapshot-retainer.io/limit": "3",
        "snapshot-retainer.io/limit-reason": "3: the policy's snapshotsToRetain",
      });
      assert.ok((annotations[INHERITED] ?? "") !== "");
      assert.deepEqual((await auditOf(cluster, auditId)).ours, {
        code: "decided",
        retain: "true",
        limit: "3",
        reason: "3: the policy's snapshotsToRetain",
      });
    });
  });

  describe("on update, what we wrote is put back", () => {
    let objects: Stored[];

    before(async () => {
      const backup = await aStoredBackup();
      const original = await takeSnapshot(api, claim, backup);
      const { object } = await requestUpload(api, claim, original.snapshot, backup);
      objects = [original.snapshot, original.content, object];
    });

    for (const [index, kind] of ["VolumeSnapshot", "VolumeSnapshotContent", "DataUpload"].entries()) {
      test(`on a ${kind}: removed, changed or added by a user`, async () => {
        const [object] = objects.slice(index);
        assert.ok(object !== undefined && object.kind === kind);
        const { labels, annotations } = object.metadata;
        for (const metadata of [
          { labels: { [ALIAS]: null }, annotations: { [INHERITED]: null } },
          { labels: { [ALIAS]: "another", [VOLUME]: "shop.other" }, annotations: { [INHERITED]: "{}" } },
          { labels: { [RETAINED]: "true" }, annotations: { "snapshot-retainer.io/limit": "99" } },
        ]) {
          const { object: now, warnings } = await api.patch(object, { metadata });
          assert.deepEqual(now.metadata.labels, labels);
          assert.equal(now.metadata.annotations[INHERITED], annotations[INHERITED]);
          assert.equal(
            now.metadata.annotations["snapshot-retainer.io/limit"],
            annotations["snapshot-retainer.io/limit"],
          );
          assert.match(warnings.join("\n"), /only Velero and snapshot-retainer may change it/);
        }
        const { object: now } = await api.patch(object, { metadata: { labels: { [ADDED]: "2036" } } });
        assert.deepEqual(now.metadata.labels, { ...labels, [ADDED]: "2036" });
      });

      test(`but not on a ${kind} that Velero changes`, async () => {
        const [object] = objects.slice(index);
        assert.ok(object !== undefined);
        const change = { metadata: { labels: { [ALIAS]: null } } };
        const { object: now, warnings } = await api.patch(object, change, { as: VELERO });
        assert.equal(now.metadata.labels[ALIAS], undefined);
        assert.deepEqual(warnings, []);
      });
    }
  });

  describe("forged by a tenant", () => {
    test("labels and annotations on a new VolumeSnapshot are removed, with a warning and an Event", async () => {
      const manifest = anOrdinarySnapshot({
        namespace: "shop",
        claim: "data",
        labels: {
          [ALIAS]: "mine",
          [VOLUME]: "bank.ledger",
          [BACKUP]: "nightly",
          [RETAINED]: "true",
          mine: "yes",
        },
        annotations: { [RETAIN]: "true", "owner.example/team": "shop" },
      });
      const name = manifest.metadata.name ?? "";
      const { stderr } = await cluster.kubectl(["create", "-f", "-"], {
        stdin: JSON.stringify(manifest),
        as: TENANT,
      });
      assert.match(
        stderr,
        /^Warning: snapshot-retainer: velero\.io\/snapshot-alias-name, .* removed: only Velero/,
      );
      const { labels, annotations } = (await api.read(manifest)).metadata;
      assert.deepEqual(labels, { mine: "yes" });
      assert.deepEqual(withoutInherited(annotations), { "owner.example/team": "shop" });
      await eventually("the Event is there", async () => {
        assert.deepEqual(
          (await eventsOf(name))
            .map((event) => event["reason"])
            .filter((reason) => reason === "ForgedRemoved"),
          ["ForgedRemoved"],
        );
      });
    });

    test("labels are removed also from what pretends to come from a restore of Velero's", async () => {
      const name = aName("import");
      const labels = { "velero.io/restore-name": "a-restore", [ALIAS]: "mine", [VOLUME]: "bank.ledger" };
      const snapshot = aCloneSnapshot({ name, namespace: "shop", labels });
      const made = await api.create(snapshot, { as: TENANT });
      assert.deepEqual(made.object.metadata.labels, { "velero.io/restore-name": "a-restore" });
      const content = aCloneContent({ name, of: ordinaryContent, ref: made.object, labels });
      const { object } = await api.create(content);
      assert.deepEqual(object.metadata.labels, { "velero.io/restore-name": "a-restore" });
    });

    test("another volume's document, stolen, makes no snapshot count as that volume's", async () => {
      const { snapshot } = await takeSnapshot(api, forgedClaim, await aStoredBackup());
      const stolen = { [INHERITED]: snapshot.metadata.annotations[INHERITED] ?? "" };
      const manifest = anOrdinarySnapshot({ namespace: "shop", claim: "data", annotations: stolen });
      const { object, warnings } = await api.create(
        // Named as Velero names them, so that the content is sent to us as well.
        { ...manifest, metadata: { ...manifest.metadata, name: aName("velero-data") } },
        { as: TENANT },
      );
      assert.deepEqual(object.metadata.annotations, {});
      assert.match(warnings.join("\n"), /inherited removed/);
      const content = await contentOf(object);
      assert.deepEqual(content.metadata.labels, {});
      assert.equal(content.metadata.annotations[INHERITED], undefined);
    });

    test("keys added to an existing VolumeSnapshot are removed again", async () => {
      const { object } = await api.create(anOrdinarySnapshot({ namespace: "shop", claim: "data" }), {
        as: TENANT,
      });
      const { object: now, warnings } = await api.patch(
        object,
        { metadata: { labels: { [ALIAS]: "mine" }, annotations: { [INHERITED]: "{}" } } },
        { as: TENANT },
      );
      assert.deepEqual(now.metadata.labels, {});
      assert.equal(now.metadata.annotations[INHERITED], undefined);
      assert.match(warnings.join("\n"), /removed again/);
    });

    test("labels, and a stolen document, on an imported content are removed", async () => {
      const { content } = await takeSnapshot(api, claim, await aStoredBackup());
      const { object, warnings } = await api.create(
        aCloneContent({
          name: aName("import"),
          of: ordinaryContent,
          ref: { namespace: "shop", name: aName("import") },
          labels: { [ALIAS]: "mine", [VOLUME]: "bank.ledger" },
          annotations: { [INHERITED]: content.metadata.annotations[INHERITED] ?? "" },
        }),
      );
      assert.deepEqual(object.metadata.labels, {});
      assert.deepEqual(object.metadata.annotations, {});
      assert.match(warnings.join("\n"), /removed: only Velero/);
    });
  });

  describe("a snapshot associated object of another data mover plugin", () => {
    test("gets alias and volume name, and its clone gets all of its labels, but for those that must not travel", async () => {
      const snapshotId = aName("snap");
      const { object: original } = await api.create(
        anAcmeSnapshot({ volume: "data", snapshotId, labels: { tier: "gold", [MANAGED_BY]: "node-1" } }),
        { as: MOVER },
      );
      assert.match(original.metadata.labels[ALIAS] ?? "", UUID);
      assert.equal(original.metadata.labels[VOLUME], "shop.data");
      await eventually("the original is known", async () =>
        assert.match(await memory(), new RegExp(snapshotId)),
      );
      const { object: clone } = await api.create(anAcmeSnapshot({ volume: "data", snapshotId }), {
        as: MOVER,
      });
      const { [MANAGED_BY]: _stays, ...travelling } = original.metadata.labels;
      assert.deepEqual(clone.metadata.labels, travelling);
    });

    test("gets its original's labels also when that is gone and every replica was killed", async () => {
      const snapshotId = aName("snap");
      const { object: original } = await api.create(
        anAcmeSnapshot({ volume: "data", snapshotId, labels: { tier: "gold" } }),
        { as: MOVER },
      );
      await eventually("it is remembered", async () => assert.match(await memory(), new RegExp(snapshotId)));
      await api.remove(original);
      await restart({ forget: false });
      const { object } = await api.create(anAcmeSnapshot({ volume: "data", snapshotId }), { as: MOVER });
      assert.deepEqual(object.metadata.labels, original.metadata.labels);
    });

    test("by a tenant gets nothing, and loses what the tenant forged", async () => {
      const { object: original } = await api.create(
        anAcmeSnapshot({ volume: "data", snapshotId: aName("snap") }),
        { as: MOVER },
      );
      const { object, warnings } = await api.create(
        anAcmeSnapshot({
          volume: "ledger",
          snapshotId: aName("snap"),
          labels: { [ALIAS]: "mine", [VOLUME]: "shop.data" },
          annotations: { [INHERITED]: original.metadata.annotations[INHERITED] ?? "" },
        }),
        { as: TENANT },
      );
      assert.deepEqual(object.metadata.labels, { "acme.io/snapshot": "true" });
      assert.deepEqual(object.metadata.annotations, {});
      assert.match(warnings.join("\n"), /removed: only Velero/);
    });

    test("has what we wrote put back on update", async () => {
      const { object } = await api.create(anAcmeSnapshot({ volume: "data", snapshotId: aName("snap") }), {
        as: MOVER,
      });
      for (const as of [TENANT, MOVER]) {
        const change = { metadata: { labels: { [ALIAS]: null, [VOLUME]: "shop.other" } } };
        const { object: now, warnings } = await api.patch(object, change, { as });
        assert.deepEqual(now.metadata.labels, object.metadata.labels);
        assert.match(warnings.join("\n"), /put back/);
      }
    });

    test("is told from all other ConfigMaps by its label, which are not even sent", async () => {
      const manifest = anAcmeSnapshot({ volume: "data", snapshotId: "any" });
      const { auditId } = await api.create(
        { ...manifest, metadata: { name: aName("other"), namespace: "acme-mover" } },
        { as: MOVER },
      );
      await assertNotSent(cluster, auditId);
    });
  });

  describe("left exactly as it is:", () => {
    test("what a native restore of Velero's brings back", async () => {
      const name = aName("restored");
      const labels = { "velero.io/restore-name": "a-restore", [ALIAS]: "old", [VOLUME]: "shop.data" };
      const snapshot = aCloneSnapshot({ name, namespace: "shop", labels });
      const made = await api.create(snapshot, { as: VELERO });
      assertAsSent(made.object, snapshot);
      const content = aCloneContent({ name, of: ordinaryContent, ref: made.object, labels });
      assertAsSent((await api.create(content, { as: VELERO })).object, content);
    });

    test("Velero's temporary content at the deletion of a backup", async () => {
      const { object, warnings, auditId } = await api.create(aTemporaryContent(marked(ordinaryContent)), {
        as: VELERO,
      });
      assert.deepEqual(comparable(object), comparable(temporaryBefore));
      assert.deepEqual(warnings, []);
      await assertNotSent(cluster, auditId);
    });

    test("a snapshot of another tool, and its content", async () => {
      const before = await admissions();
      const manifest = anOrdinarySnapshot({ namespace: "shop", claim: "data", labels: { mine: "yes" } });
      const { object, auditId } = await api.create(manifest, { as: TENANT });
      assertAsSent(object, manifest);
      const content = await contentOf(object);
      assert.deepEqual(content.metadata.labels, {});
      await assertNotSent(cluster, auditId);
      const { calls } = await auditOfCreation(cluster, "volumesnapshotcontents", content.metadata.name);
      assert.deepEqual(calls, []);
      assert.equal(await admissions(), before);
    });

    test("a member of a VolumeGroupSnapshot, until Velero claims it", async () => {
      const group = await created(aGroupSnapshot({ namespace: "shop" }));
      const manifest = aGroupMember({ claim: "data", group });
      const member = await api.create(manifest, { as: SNAPSHOT_CONTROLLER });
      assert.deepEqual(member.object.metadata.labels, {});
      await assertNotSent(cluster, member.auditId);
      const backup = await aStoredBackup();
      const claimed = await api.patch(
        member.object,
        {
          metadata: {
            ownerReferences: null,
            labels: { "velero.io/backup-name": backup, "velero.io/backup-uid": "1b5b6f6a" },
          },
        },
        { as: VELERO },
      );
      assert.match(claimed.object.metadata.labels[ALIAS] ?? "", UUID);
      assert.deepEqual(claimed.object.metadata.labels, {
        "velero.io/backup-name": backup,
        "velero.io/backup-uid": "1b5b6f6a",
        [ALIAS]: claimed.object.metadata.labels[ALIAS],
        [VOLUME]: "shop.data",
      });
      const { snapshot, content } = await expose(
        api,
        { snapshot: await api.read(member.object), content: ordinaryContent },
        (await requestUpload(api, claim, claimed.object, backup)).object.metadata.name,
      );
      assert.equal(snapshot.object.metadata.labels[ALIAS], claimed.object.metadata.labels[ALIAS]);
      assert.equal(content.object.metadata.labels[ALIAS], claimed.object.metadata.labels[ALIAS]);
    });
  });

  describe("a dry run", () => {
    test("shows what would be done, and leaves nothing behind", async () => {
      const manifest = aBackup({ annotations: { [LIMIT]: "7" } });
      const { stdout, stderr } = await cluster.kubectl(
        ["create", "--dry-run=server", "-o=jsonpath={.metadata.annotations}", "-f", "-"],
        { stdin: JSON.stringify(manifest) },
      );
      assert.equal(stdout, JSON.stringify({ [LIMIT]: "3" }));
      assert.match(stderr, /^Warning: snapshot-retainer: .*7 was replaced by 3/);
      const acme = anAcmeSnapshot({ volume: "data", snapshotId: aName("snap") });
      const dry = await api.create(acme, { as: MOVER, dryRun: true });
      assert.match(dry.object.metadata.labels[ALIAS] ?? "", UUID);
      const { object: kept } = await api.create(aBackup());
      const change = { metadata: { annotations: { [LIMIT]: "1" } } };
      const putBack = await api.patch(kept, change, { dryRun: true });
      assert.match(putBack.warnings.join("\n"), /put back/);
      // What comes after it has arrived, so what it had left behind would have as well.
      const real = await api.create(aBackup({ annotations: { [LIMIT]: "7" } }));
      const wet = anAcmeSnapshot({ volume: "data", snapshotId: aName("snap") });
      await api.create(wet, { as: MOVER });
      await eventually("the real one's Event is there", async () => {
        assert.equal((await eventsOf(real.object.metadata.name)).length, 1);
      });
      await eventually("the real one is remembered", async () => {
        assert.match(await memory(), new RegExp(idOf(wet)));
      });
      assert.deepEqual(await eventsOf(manifest.metadata.name ?? ""), []);
      assert.deepEqual(await eventsOf(kept.metadata.name), []);
      assert.doesNotMatch(await memory(), new RegExp(idOf(acme)));
    });
  });

  describe("a second pass", () => {
    test("of kubectl apply finds nothing to change", async () => {
      const manifest = aBackup();
      const stdin = JSON.stringify(manifest);
      assert.match((await cluster.kubectl(["apply", "-f", "-"], { stdin })).stdout, / created/);
      const { stdout, stderr } = await cluster.kubectl(["apply", "-f", "-"], { stdin });
      assert.match(stdout, / unchanged/);
      assert.equal((await api.read(manifest)).metadata.annotations[LIMIT], "3");
      assert.equal(stderr, "");
    });

    test("over what is stored changes nothing", async () => {
      const [replica] = product.running();
      const ca = await product.authority();
      const backup = (await api.create(aBackup({ annotations: { [LIMIT]: "7" } }))).object;
      const { name } = backup.metadata;
      const original = await takeSnapshot(api, claim, name);
      const { object: upload } = await requestUpload(api, claim, original.snapshot, name);
      const clones = await expose(api, original, aName("clone"));
      const acme = await api.create(anAcmeSnapshot({ volume: "data", snapshotId: aName("snap") }), {
        as: MOVER,
      });
      for (const [object, username] of [
        [backup, "alice"],
        [original.snapshot, VELERO],
        [original.content, SNAPSHOT_CONTROLLER],
        [upload, VELERO],
        [clones.snapshot.object, VELERO],
        [clones.content.object, VELERO],
        [acme.object, MOVER],
      ] as const) {
        const answer = await rawPost(`${replica?.url ?? ""}/mutate`, aReview(object, "1", username), { ca });
        const { patch, auditAnnotations } = responseOf(answer);
        assert.equal(patch, undefined, object.kind);
        assert.equal(auditAnnotations?.["code"], "already_set", object.kind);
      }
    });

    describe("after another webhook's change in the same request", () => {
      let second: SecondWebhook;

      before(async () => {
        second = await startSecondWebhook(api);
      });

      after(async () => {
        await second.stop();
      });

      async function aSnapshotWith(labels: Record<string, string>): Promise<Answer> {
        const wanted = { ...claim, metadata: { ...claim.metadata, labels } };
        return api.create(aVolumeSnapshot({ claim: wanted, backup: await aStoredBackup() }), { as: VELERO });
      }

      test("changes nothing", async () => {
        const labels = { "second.example/wanted": "annotations" };
        const answers = [
          await api.create(aBackup({ labels, annotations: { [LIMIT]: "7" } })),
          await aSnapshotWith(labels),
          await api.create(aDataUpload({ backup: "none", claim, snapshot: "none", labels }), { as: VELERO }),
          await api.create(anAcmeSnapshot({ volume: "data", snapshotId: aName("snap"), labels }), {
            as: MOVER,
          }),
        ];
        for (const { object, auditId } of answers) {
          assert.equal(object.metadata.annotations["second.example/seen"], "yes");
          const { calls } = await auditOf(cluster, auditId);
          assert.deepEqual(
            calls.map(({ configuration, mutated }) => [configuration, mutated]),
            [
              ["snapshot-retainer", true],
              ["zz-second", true],
              ["snapshot-retainer", false],
            ],
            object.kind,
          );
        }
        assert.equal(answers[0]?.object.metadata.annotations[LIMIT], "3");
      });

      test("takes a label that this added into what clones inherit", async () => {
        const { object } = await aSnapshotWith({ "second.example/wanted": "labels" });
        assert.equal(object.metadata.labels["second.example/seen"], "yes");
        const { name } = object.metadata;
        const clone = await api.create(aCloneSnapshot({ name, annotations: object.metadata.annotations }), {
          as: VELERO,
        });
        assert.deepEqual(clone.object.metadata.labels, object.metadata.labels);
      });
    });
  });

  describe("with another policy, a Backup", () => {
    test("gets the number 0 as well", async () => {
      await product.applyPolicy({ ...POLICY, snapshotsToRetain: 0 });
      const { object } = await api.create(aBackup());
      assert.deepEqual(object.metadata.annotations, { [LIMIT]: "0" });
      const { object: asked } = await api.create(aBackup({ annotations: { [LIMIT]: "7" } }));
      assert.equal(asked.metadata.annotations[LIMIT], "0");
    });

    test("keeps a user's lower number under `cap`, and has a higher one lowered", async () => {
      await product.applyPolicy({ ...POLICY, backupAnnotation: "cap" });
      const lower = await api.create(aBackup({ annotations: { [LIMIT]: "2" } }));
      assert.equal(lower.object.metadata.annotations[LIMIT], "2");
      assert.deepEqual(lower.warnings, []);
      await assertCode(cluster, lower.auditId, "limit_kept");
      const higher = await api.create(aBackup({ annotations: { [LIMIT]: "9" } }));
      assert.equal(higher.object.metadata.annotations[LIMIT], "3");
      assert.match(higher.warnings.join("\n"), /9 was replaced by 3/);
    });

    test("keeps a user's number, which then decides for its volumes, under `default`", async () => {
      await product.applyPolicy({ ...POLICY, backupAnnotation: "default" });
      const { object, warnings } = await api.create(aBackup({ annotations: { [LIMIT]: "9" } }));
      assert.equal(object.metadata.annotations[LIMIT], "9");
      assert.deepEqual(warnings, []);
      const upload = await api.create(
        aDataUpload({ backup: object.metadata.name, claim, snapshot: "none" }),
        {
          as: VELERO,
        },
      );
      assert.equal(upload.object.metadata.annotations["snapshot-retainer.io/limit"], "9");
      const { object: invalid } = await api.create(aBackup({ annotations: { [LIMIT]: "many" } }));
      assert.equal(invalid.metadata.annotations[LIMIT], "3");
    });

    test("has volumes named by the claim's UID under `volumeName: uid`", async () => {
      await product.applyPolicy({ ...POLICY, volumeName: "uid" });
      const { snapshot, content } = await takeSnapshot(api, claim, await aStoredBackup());
      assert.equal(snapshot.metadata.labels[VOLUME], claim.metadata.uid);
      assert.equal(content.metadata.labels[VOLUME], claim.metadata.uid);
    });

    test("has no label on a snapshot whose claim is gone under `volumeName: uid`, nor one that was forged", async () => {
      await product.applyPolicy({ ...POLICY, volumeName: "uid" });
      const gone = { ...forgedClaim, metadata: { ...forgedClaim.metadata, name: "gone" } };
      const backup = await aStoredBackup();
      const { object, warnings } = await api.create(aVolumeSnapshot({ claim: gone, backup }), { as: VELERO });
      assert.deepEqual(object.metadata.labels, { app: "evil", "velero.io/backup-name": backup });
      assert.match(warnings.join("\n"), /PVC shop\/gone was not found/);
      assert.match(warnings.join("\n"), /removed: only Velero/);
    });
  });

  test("no content ever got Velero's own label of a Backup from us", async () => {
    const contents = await api.list("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent");
    const labelled = contents.filter(
      ({ metadata: { labels } }) =>
        labels[ALIAS] !== undefined && labels["velero.io/restore-name"] === undefined,
    );
    assert.ok(labelled.length > 10);
    for (const { metadata } of labelled) {
      assert.notEqual(metadata.labels[BACKUP], undefined);
      assert.ok([undefined, "somebody-added-it", "old"].includes(metadata.labels["velero.io/backup-name"]));
    }
  });

  const ORIGINALS = { name: "snapshot-retainer-originals", namespace: NAMESPACE };

  /** Everything that is remembered of originals, as text. */
  async function memory(): Promise<string> {
    return JSON.stringify(
      (await api.find({ apiVersion: "v1", kind: "ConfigMap", metadata: ORIGINALS }))?.data ?? {},
    );
  }

  async function remembered(content: Stored, text = ""): Promise<void> {
    const handle = z.string().parse(content.status["snapshotHandle"]);
    await eventually("the original is remembered", async () => {
      const entries = Object.values(
        (await api.find({ apiVersion: "v1", kind: "ConfigMap", metadata: ORIGINALS }))?.data ?? {},
      );
      assert.ok(entries.some((entry) => entry.includes(handle) && entry.includes(text)));
    });
  }

  /** A content under a name of its own for the same snapshot, and then a VolumeSnapshot for that; no annotation, no DataUpload. */
  async function cloneAsMover(of: Stored): Promise<{ readonly content: Answer; readonly snapshot: Answer }> {
    const name = aName("mover");
    const content = await api.create(aCloneContent({ name, of, ref: { namespace: "acme-mover", name } }), {
      as: MOVER,
    });
    return {
      content,
      snapshot: await api.create(aCloneSnapshot({ name, namespace: "acme-mover" }), { as: MOVER }),
    };
  }

  async function aStoredBackup(): Promise<string> {
    return (await api.create(aBackup())).object.metadata.name;
  }

  async function admissions(): Promise<number> {
    return readMetric(product.running(), "snapshot_retainer_admission_requests_total");
  }
});

function idOf(acme: Manifest): string {
  return z.object({ snapshotId: z.string() }).parse(acme["data"]).snapshotId;
}

/** With our keys, as a content has them that Velero finds in the tarball of a backup. */
function marked(content: Stored): Stored {
  const { metadata } = content;
  return {
    ...content,
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, [ALIAS]: "an-alias", [VOLUME]: "shop.data", [BACKUP]: "old" },
      annotations: { ...metadata.annotations, [INHERITED]: "{}" },
    },
  };
}

function assertAsSent(object: Stored, sent: Manifest): void {
  assert.deepEqual(object.metadata.labels, sent.metadata.labels ?? {});
  assert.deepEqual(object.metadata.annotations, sent.metadata.annotations ?? {});
  assert.deepEqual({ ...object.spec, ...sent.spec }, object.spec);
}

/** Everything of an object but what differs between any two. */
function comparable({ metadata, ...rest }: Stored): unknown {
  const {
    name: _name,
    uid: _uid,
    resourceVersion: _version,
    creationTimestamp: _created,
    ...others
  } = metadata;
  const managedFields = z.array(z.looseObject({ time: z.string() })).parse(others["managedFields"]);
  return {
    ...rest,
    metadata: { ...others, managedFields: managedFields.map(({ time: _time, ...fields }) => fields) },
  };
}

function withoutInherited(annotations: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(annotations).filter(([key]) => key !== INHERITED && !key.startsWith("snapshot.storage.")),
  );
}
