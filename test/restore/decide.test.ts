import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RELEASED_LABEL, RESTORE_VOLUME_ANNOTATION, SELECTED_NODE_ANNOTATION } from "../../src/kube/keys.ts";
import { decideRestore } from "../../src/restore/decide.ts";
import type { RestoreFacts } from "../../src/restore/facts.ts";
import type { Step } from "../../src/restore/step.ts";
import { aPolicy } from "../builders/policy.ts";
import {
  aClass,
  aDownload,
  aHeldVolume,
  aMadeClaim,
  aMadeContent,
  aMadeSnapshot,
  aRetained,
  aTarget,
  aVolume,
  MADE,
  NOW,
  secondsAgo,
  someFacts,
  SOURCE,
  withVolume,
} from "../builders/restore.ts";

const POLICY = aPolicy();

function decided(facts: RestoreFacts, policy = POLICY): Step {
  return decideRestore(facts, policy, NOW);
}

/** The DataDownload of a restore that cannot be handed back any more. */
function committed(overrides: object = {}) {
  const annotations = { [RESTORE_VOLUME_ANNOTATION]: "pv-1" };
  return aDownload({ metadata: { annotations }, status: { phase: "InProgress" }, ...overrides });
}

describe("a restore goes on", () => {
  const kinds: Record<string, [RestoreFacts, Step["kind"]]> = {
    "waiting for the claim that Velero creates": [
      someFacts({ download: aDownload(), target: undefined, storageClass: undefined }),
      "wait",
    ],
    "by telling that it has begun": [someFacts({ download: aDownload() }), "accept"],
    "by exposing the snapshot": [someFacts(), "expose"],
    "by exposing what is missing of it": [someFacts({ content: aMadeContent() }), "expose"],
    "waiting for the snapshot": [
      someFacts({ content: aMadeContent(), snapshot: aMadeSnapshot({ status: { readyToUse: false } }) }),
      "wait",
    ],
    "waiting for the snapshot to be bound to the right content": [
      someFacts({
        content: aMadeContent(),
        snapshot: aMadeSnapshot({ status: { boundVolumeSnapshotContentName: "other" } }),
      }),
      "wait",
    ],
    "by having a volume made": [
      someFacts({ content: aMadeContent(), snapshot: aMadeSnapshot() }),
      "provision",
    ],
    "waiting a moment for the volume": [
      withVolume({ claim: aMadeClaim({ status: { phase: "Pending" } }) }),
      "wait",
    ],
    "by asking why there is no volume": [
      withVolume({
        claim: aMadeClaim({ metadata: { creationTimestamp: secondsAgo(4) }, status: { phase: "Pending" } }),
      }),
      "inquire",
    ],
    "by leaving no way back once there is a volume": [withVolume(), "commit"],
    "by keeping the volume": [withVolume({ download: committed() }), "hold"],
    "by taking it from its claim": [withVolume({ download: committed(), volume: aHeldVolume() }), "detach"],
    "waiting for that claim to go": [
      withVolume({
        download: committed(),
        volume: aHeldVolume(),
        claim: aMadeClaim({ metadata: { deletionTimestamp: secondsAgo(1) } }),
      }),
      "wait",
    ],
    "by reserving the volume for the target": [
      withVolume({ download: committed(), volume: aHeldVolume(), claim: undefined }),
      "reserve",
    ],
    "by binding the target": [
      withVolume({ download: committed(), volume: reserved(), claim: undefined }),
      "bind",
    ],
    "waiting for Kubernetes to bind": [
      withVolume({
        download: committed(),
        volume: reserved(),
        claim: undefined,
        target: aTarget({ spec: { volumeName: "pv-1" } }),
      }),
      "wait",
    ],
    "by giving the volume its reclaim policy back": [
      withVolume({ download: committed(), volume: reserved(), claim: undefined, target: bound() }),
      "unhold",
    ],
    "by being complete": [
      withVolume({
        download: committed(),
        volume: aVolume({ spec: { claimRef: { namespace: "app", name: "data", uid: "target-uid" } } }),
        claim: undefined,
        target: bound(),
      }),
      "complete",
    ],
  };
  for (const [name, [facts, kind]] of Object.entries(kinds)) {
    test(name, () => assert.equal(decided(facts).kind, kind));
  }

  test("waiting for a consumer where the class waits for one, for half an hour", () => {
    const storageClass = aClass({ volumeBindingMode: "WaitForFirstConsumer" });
    assert.equal(decided(someFacts({ download: aDownload(), storageClass })).kind, "wait");
    const old = aDownload({ metadata: { creationTimestamp: secondsAgo(1801) } });
    assert.equal(decided(someFacts({ download: old, storageClass })).kind, "hand_back");
    const target = aTarget({ metadata: { annotations: { [SELECTED_NODE_ANNOTATION]: "node-1" } } });
    assert.equal(decided(someFacts({ download: aDownload(), storageClass, target })).kind, "accept");
  });
});

function reserved() {
  return aHeldVolume({ spec: { claimRef: { namespace: "app", name: "data", uid: "target-uid" } } });
}

function bound() {
  return aTarget({ spec: { volumeName: "pv-1" }, status: { phase: "Bound" } });
}

describe("a restore makes", () => {
  test("a content that keeps the snapshot, with the Secret and the class of the retained one", () => {
    const annotations = {
      "snapshot.storage.kubernetes.io/deletion-secret-name": "s",
      "snapshot.storage.kubernetes.io/deletion-secret-namespace": "ns",
    };
    const step = decided(someFacts({ retained: aRetained({ metadata: { annotations } }) }));
    assert.ok(step.kind === "expose");
    assert.equal(step.retained?.name, SOURCE.name);
    const [content, snapshot] = step.objects;
    assert.partialDeepStrictEqual(content, {
      resource: "volumesnapshotcontents",
      manifest: {
        metadata: { name: MADE, annotations },
        spec: {
          deletionPolicy: "Retain",
          driver: SOURCE.driver,
          source: { snapshotHandle: SOURCE.handle },
          volumeSnapshotClassName: "disk-snapshots",
          sourceVolumeMode: "Filesystem",
          volumeSnapshotRef: { namespace: "velero", name: MADE },
        },
      },
    });
    assert.partialDeepStrictEqual(snapshot, {
      resource: "volumesnapshots",
      manifest: {
        metadata: { name: MADE, namespace: "velero" },
        spec: { source: { volumeSnapshotContentName: MADE } },
      },
    });
  });

  test("a content of what another cluster recorded", () => {
    const source = { ...SOURCE, local: false, snapshotClass: "theirs", deletionSecretName: "s" };
    const policy = aPolicy({ restore: { acrossClusters: true } });
    const step = decided(someFacts({ source, retained: undefined }), policy);
    assert.ok(step.kind === "expose");
    assert.equal(step.retained, undefined);
    assert.partialDeepStrictEqual(step.objects[0], {
      manifest: {
        metadata: { annotations: { "snapshot.storage.kubernetes.io/deletion-secret-name": "s" } },
        spec: { volumeSnapshotClassName: "theirs", source: { snapshotHandle: SOURCE.handle } },
      },
    });
  });

  test("a claim like the target, as large as the snapshot, on the node that the scheduler chose", () => {
    const content = aMadeContent({ status: { restoreSize: 3 * 2 ** 30 } });
    const target = aTarget({ metadata: { annotations: { [SELECTED_NODE_ANNOTATION]: "node-1" } } });
    const step = decided(someFacts({ content, snapshot: aMadeSnapshot(), target }));
    assert.ok(step.kind === "provision");
    assert.partialDeepStrictEqual(step.claim.manifest, {
      metadata: { name: MADE, namespace: "velero", annotations: { [SELECTED_NODE_ANNOTATION]: "node-1" } },
      spec: {
        storageClassName: "disk",
        accessModes: ["ReadWriteOnce"],
        resources: { requests: { storage: String(3 * 2 ** 30) } },
        dataSource: { kind: "VolumeSnapshot", name: MADE },
      },
    });
  });
});

describe("a restore is handed back to Velero", () => {
  const reasons: Record<string, [Partial<RestoreFacts>, RegExp]> = {
    "where nothing says what to restore from": [{ source: undefined }, /does not say which snapshot/],
    "where the retained content is gone": [{ retained: undefined }, /b1-xyz is not there any more/],
    "where the content is no longer retained": [
      { retained: aRetained({ metadata: { labels: undefined } }) },
      /no longer retained/,
    ],
    "where the content stands for another snapshot": [
      { retained: aRetained({ status: { snapshotHandle: "snap-2" } }) },
      /stands for another snapshot/,
    ],
    "where the content is being deleted": [
      { retained: aRetained({ metadata: { deletionTimestamp: secondsAgo(1) } }) },
      /is being freed/,
    ],
    "where the content has the policy Delete": [
      { retained: aRetained({ spec: { deletionPolicy: "Delete" } }) },
      /is being freed/,
    ],
    "where the content was released": [
      { retained: aRetained({ metadata: { labels: { [RELEASED_LABEL]: "over_number" } } }) },
      /is being freed/,
    ],
    "where the claim is bound already": [
      { target: aTarget({ spec: { volumeName: "pv-9" } }) },
      /bound to pv-9/,
    ],
    "where there is no such class": [{ storageClass: undefined }, /there is no storage class disk/],
    "where the claim has no class": [
      { storageClass: undefined, target: aTarget({ spec: { storageClassName: undefined } }) },
      /has no storage class/,
    ],
    "where the class is another driver's": [
      { storageClass: aClass({ provisioner: "file.csi.example.com" }) },
      /is provisioned by file.csi.example.com, and the snapshot is of disk.csi.example.com/,
    ],
    "where the volume mode differs": [
      { target: aTarget({ spec: { volumeMode: "Block" } }) },
      /volume mode Block, and the snapshot is of one with Filesystem/,
    ],
    "where it is of another cluster, which the policy does not allow": [
      { source: { ...SOURCE, local: false } },
      /snapshots of another cluster/,
    ],
    "when the storage took too long": [
      { download: aDownload({ status: { phase: "InProgress", startTimestamp: secondsAgo(300) } }) },
      /no volume within 300 s/,
    ],
    "when the snapshot has had an error for long": [
      {
        download: aDownload({ status: { phase: "InProgress", startTimestamp: secondsAgo(10) } }),
        content: aMadeContent({ status: { error: { message: "no such snapshot" } } }),
        snapshot: aMadeSnapshot({ status: { readyToUse: false } }),
      },
      /cannot be used: no such snapshot/,
    ],
    "when the volume that was made is lost": [
      {
        content: aMadeContent(),
        snapshot: aMadeSnapshot(),
        claim: aMadeClaim({ status: { phase: "Lost" } }),
      },
      /is lost/,
    ],
    "when the volume that was made is gone": [{ download: committed(), volume: undefined }, /is gone/],
    "when the volume that was made is being deleted": [
      { download: committed(), volume: aHeldVolume({ metadata: { deletionTimestamp: secondsAgo(1) } }) },
      /is gone/,
    ],
    "when the volume that it names was made for nobody's restore": [
      {
        download: committed(),
        volume: aVolume({ spec: { claimRef: { namespace: "app", name: "other", uid: "other-uid" } } }),
      },
      /is gone/,
    ],
    "when it names a volume, and no source that we wrote": [
      { download: committed(), source: undefined },
      /not (say|written)/,
    ],
    "when Velero never created the claim": [
      {
        download: aDownload({ metadata: { creationTimestamp: secondsAgo(1801) } }),
        target: undefined,
      },
      /not there for half an hour/,
    ],
  };
  for (const [name, [facts, reason]] of Object.entries(reasons)) {
    test(name, () => {
      const step = decided(someFacts(facts));
      assert.ok(step.kind === "hand_back", step.kind);
      assert.match(step.reason, reason);
    });
  }

  for (const policy of [aPolicy({ restore: { fromRetained: false } }), aPolicy({ mode: "audit" })]) {
    test(`where the policy does not allow it: ${policy.mode}`, () => {
      assert.equal(decided(someFacts(), policy).kind, "hand_back");
    });
  }

  test("not at the first error of the snapshot", () => {
    const content = aMadeContent({ status: { error: { message: "conflict" } } });
    const snapshot = aMadeSnapshot({ status: { readyToUse: false } });
    assert.equal(decided(someFacts({ content, snapshot })).kind, "wait");
  });

  test("not for an error that is over", () => {
    const content = aMadeContent({ status: { error: { message: "conflict" } } });
    const download = aDownload({ status: { phase: "InProgress", startTimestamp: secondsAgo(20) } });
    assert.equal(decided(someFacts({ download, content, snapshot: aMadeSnapshot() })).kind, "provision");
  });

  test("not where paused: nothing is freed by a restore", () => {
    assert.equal(decided(someFacts(), aPolicy({ mode: "paused" })).kind, "expose");
  });
});

describe("a restore that is cancelled", () => {
  const cancel = { spec: { cancel: true } };

  test("ends at once before its volume is being bound", () => {
    assert.equal(decided(withVolume({ download: aDownload(cancel) })).kind, "cancel");
    const deleted = aDownload({ metadata: { deletionTimestamp: secondsAgo(1) } });
    assert.equal(decided(someFacts({ download: deleted })).kind, "cancel");
  });

  test("ends while its volume is not reserved, and where that is gone", () => {
    assert.equal(decided(withVolume({ download: committed(cancel), volume: aHeldVolume() })).kind, "cancel");
    assert.equal(decided(withVolume({ download: committed(cancel), volume: undefined })).kind, "cancel");
  });

  test("goes on where the volume is reserved for its claim", () => {
    assert.equal(
      decided(withVolume({ download: committed(cancel), volume: reserved(), claim: undefined })).kind,
      "bind",
    );
  });
});

describe("a restore fails", () => {
  test("when its claim is deleted while its volume is being made", () => {
    assert.equal(decided(someFacts({ target: undefined })).kind, "fail");
    const target = aTarget({ metadata: { deletionTimestamp: secondsAgo(1) } });
    assert.equal(decided(withVolume({ target })).kind, "fail");
  });

  for (const [name, target] of [
    ["when its claim is deleted while its volume is being bound", undefined],
    ["when its claim is being deleted then", aTarget({ metadata: { deletionTimestamp: secondsAgo(1) } })],
    ["when its claim was bound to another volume then", aTarget({ spec: { volumeName: "pv-9" } })],
  ] as const) {
    test(name, () => {
      assert.equal(
        decided(withVolume({ download: committed(), volume: aHeldVolume(), target })).kind,
        "fail",
      );
    });
  }
});
