import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import {
  DATA_DOWNLOAD_ANNOTATION,
  DATA_DOWNLOAD_LABEL,
  RESTORE_VOLUME_ANNOTATION,
} from "../../src/kube/keys.ts";
import { asList } from "../cluster/objects.ts";
import type { Manifest } from "../cluster/objects.ts";
import type { Stored } from "./api.ts";
import { eventually, PATIENCE_MS } from "./eventually.ts";
import { CONTROLLER_ACCOUNT } from "./product.ts";
import { aClaimNamed, downloadsOf, madeForRestores } from "./restore-bed.ts";
import type { Bed } from "./retention-bed.ts";

/** The writes of a restore, in their order; a restore is held at one by refusing that write to the controller. */
export const HOLDS = ["accept", "commit", "hold", "detach", "reserve", "unhold", "complete"] as const;
export type Hold = (typeof HOLDS)[number];

/** The name of a Restore that is to be held: the DataDownload, and all that is made for it, is named by that. */
export function heldName(hold: Hold, word: string): string {
  return `at-${hold}-${word}`;
}

/** The name of a Restore of which this write is refused for good. */
export function refusedName(hold: Hold): string {
  return `no-${hold}-please`;
}

const ANNOTATION = `['${DATA_DOWNLOAD_ANNOTATION}']`;
const OF_NEW = `object.metadata.?annotations${ANNOTATION}.orValue('')`;
const OF_OLD = `oldObject.metadata.?annotations${ANNOTATION}.orValue('')`;

/** What each write is, beside the object's being of a restore that is to be held there. */
const WRITES: Readonly<
  Record<Hold, { readonly resource: string; readonly of: string; readonly is: string }>
> = {
  accept: { resource: "datadownloads", of: "object.metadata.name", is: phaseIs("InProgress") },
  commit: {
    resource: "datadownloads",
    of: "object.metadata.name",
    is: `object.metadata.?annotations['${RESTORE_VOLUME_ANNOTATION}'].orValue('') != ''`,
  },
  hold: { resource: "persistentvolumes", of: OF_NEW, is: `${OF_OLD} == ''` },
  detach: { resource: "persistentvolumeclaims", of: OF_OLD, is: "true" },
  reserve: {
    resource: "persistentvolumes",
    of: OF_NEW,
    is: "object.spec.?claimRef.?namespace.orValue('') != oldObject.spec.?claimRef.?namespace.orValue('')",
  },
  unhold: { resource: "persistentvolumes", of: OF_OLD, is: `${OF_NEW} == ''` },
  complete: { resource: "datadownloads", of: "object.metadata.name", is: phaseIs("Completed") },
};

function phaseIs(phase: string): string {
  return `object.?status.?phase.orValue('') == '${phase}'`;
}

/** From now on restores whose name says so are held. */
export async function startHolding({ cluster }: Bed): Promise<void> {
  await cluster.kubectl(["apply", "-f", "-"], { stdin: asList(HOLDS.flatMap(policyOf)) });
  // The API server reads them by a watch, and nothing says when it has.
  await sleep(IN_FORCE_MS);
}

const IN_FORCE_MS = 5_000;

/** Lets all of them go on. */
export async function stopHolding({ cluster }: Bed): Promise<void> {
  const names = HOLDS.map((hold) => `hold-${hold}`);
  await cluster.kubectl(["delete", "validatingadmissionpolicybinding", ...names]);
}

function policyOf(hold: Hold): Manifest[] {
  const apiVersion = "admissionregistration.k8s.io/v1";
  const metadata = { name: `hold-${hold}` };
  const { resource, of, is } = WRITES[hold];
  const isCore = resource !== "datadownloads";
  const rule = {
    apiGroups: [isCore ? "" : "velero.io"],
    apiVersions: ["*"],
    operations: [hold === "detach" ? "DELETE" : "UPDATE"],
    resources: [resource],
  };
  function unless(name: string): string {
    return `!(${of}.contains('${name}') && ${is})`;
  }
  return [
    {
      apiVersion,
      kind: "ValidatingAdmissionPolicy",
      metadata,
      spec: {
        failurePolicy: "Fail",
        matchConstraints: { resourceRules: [rule] },
        matchConditions: [
          { name: "ours", expression: `request.userInfo.username == '${CONTROLLER_ACCOUNT}'` },
        ],
        validations: [
          // As a server says that has too much to do: worth another attempt.
          { expression: unless(`at-${hold}-`), message: "not now", reason: "RequestEntityTooLarge" },
          { expression: unless(`no-${hold}-`), message: `no ${hold} here` },
        ],
      },
    },
    {
      apiVersion,
      kind: "ValidatingAdmissionPolicyBinding",
      metadata,
      spec: { policyName: `hold-${hold}`, validationActions: ["Deny"] },
    },
  ];
}

/** A restore that is held, with what was made for it. */
export interface Held {
  readonly download: Stored;
  readonly volume: Stored | undefined;
}

/** Resolves when a restore of one claim "data" can go no further; its namespace has the Restore's name. */
export async function isHeldAt(bed: Bed, hold: Hold, restore: string): Promise<Held> {
  return eventually(`${restore} is held at ${hold}`, async () => assertHeld(bed, hold, restore), PATIENCE_MS);
}

async function assertHeld({ api }: Bed, hold: Hold, restore: string): Promise<Held> {
  const [download] = await downloadsOf(api, restore);
  assert.ok(download);
  assert.equal(download.spec["datamover"], "snapshot-retainer");
  const { uid, annotations } = download.metadata;
  const made = (await madeForRestores(api)).filter(
    ({ metadata }) => metadata.labels[DATA_DOWNLOAD_LABEL] === uid,
  );
  const claim = made.find(({ kind }) => kind === "PersistentVolumeClaim");
  const name = annotations[RESTORE_VOLUME_ANNOTATION] ?? claim?.spec["volumeName"];
  const volumes = await api.list("v1", "PersistentVolume");
  const volume = volumes.find(({ metadata }) => metadata.name === name);
  const isMarked = volume?.metadata.labels[DATA_DOWNLOAD_LABEL] === uid;
  const target = await api.find(aClaimNamed(restore, "data"));
  const isBound = target?.status["phase"] === "Bound";
  const isThere: Record<Hold, boolean> = {
    accept: target !== undefined && download.status["phase"] === undefined,
    commit: claim?.status["phase"] === "Bound",
    hold: RESTORE_VOLUME_ANNOTATION in annotations,
    detach: isMarked && claim !== undefined,
    reserve: isMarked && claim === undefined,
    unhold: isMarked && isBound,
    complete: !isMarked && isBound,
  };
  assert.ok(isThere[hold]);
  return { download, volume };
}
