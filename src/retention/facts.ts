import { volumeFactsOf } from "../admission/volume-facts.ts";
import { generousCeiling, generousNumber } from "../policy/generous.ts";
import type { GenerousLimit, UncertainVolume } from "../policy/generous.ts";
import type { Limit, UncertainFact } from "../policy/limit.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import type { Identity } from "./identify.ts";
import type { Backup, PersistentVolumeClaim } from "./objects.ts";
import type { Relations } from "./relations.ts";

/** The two halves of a limit: the number counts the snapshots of a volume's name, the ceiling those of a volume on the storage. */
export interface Limits {
  readonly number: GenerousLimit;
  readonly ceiling: Limit | undefined;
}

/** The limits that hold for a snapshot of a volume, taken by a Backup, on a driver. */
export type LimitsOf = (
  identity: Pick<Identity, "volumeName" | "volume" | "backup" | "upload">,
  driver: string | undefined,
) => Limits;

/** Limits by facts as far as they are known: live ones, else those that the DataUpload remembers. */
export function createLimits(relations: Relations, policy: RetentionPolicy): LimitsOf {
  const ceilings = new Map<string, Limit | undefined>();
  // Few drivers and classes, many snapshots: and the table of drivers is searched each time.
  function ceilingOf(volume: UncertainVolume): Limit | undefined {
    const known = volume.unknown.has("storageClass") ? "?" : `=${volume.storageClass ?? ""}`;
    const key = `${volume.driver ?? ""}\n${known}`;
    if (!ceilings.has(key)) {
      ceilings.set(key, generousCeiling(policy, volume));
    }
    return ceilings.get(key);
  }
  const known = new Map<string, Limits>();
  // One object for what is the same: of ten thousand, most have the same few.
  function shared(number: GenerousLimit, ceiling: Limit | undefined): Limits {
    const key = `${number.number} ${number.uncertain} ${number.reason}\n${ceiling?.number ?? ""} ${ceiling?.reason ?? ""}`;
    const limits = known.get(key) ?? { number, ceiling };
    known.set(key, limits);
    return limits;
  }
  return (identity, driver) => {
    const volume = uncertainVolume(identity, driver, relations, policy);
    return shared(generousNumber(policy, volume), ceilingOf(volume));
  };
}

function uncertainVolume(
  identity: Parameters<LimitsOf>[0],
  driver: string | undefined,
  relations: Relations,
  policy: RetentionPolicy,
): UncertainVolume {
  const { volume, upload } = identity;
  const claim = claimOf(identity, relations, policy);
  const backup = identity.backup && relations.backup(identity.backup);
  const storageClass = upload?.spec.csiSnapshot?.storageClass ?? undefined;
  const facts = volumeFactsOf({ namespace: volume.namespace ?? "", backup, claim, driver, storageClass });
  const unknown = unknownFacts(identity, claim, backup, facts.storageClass);
  // The document of a DataUpload holds the labels that the PVC had, but for those that do not travel.
  const remembered = claim === undefined && upload ? relations.document(upload.metadata)?.labels : undefined;
  const { namespace, schedule, requested } = facts;
  const pvcLabels = facts.pvcLabels ?? remembered;
  return { driver, storageClass: facts.storageClass, namespace, pvcLabels, schedule, requested, unknown };
}

/** Its PersistentVolumeClaim; where volumes are named by UID, one of another UID is another volume. */
function claimOf(
  { volume, volumeName }: Parameters<LimitsOf>[0],
  relations: Relations,
  policy: RetentionPolicy,
): PersistentVolumeClaim | undefined {
  const claim = relations.claim(volume.namespace ?? "", volume.name);
  return policy.volumeName === "uid" && claim?.metadata.uid !== volumeName ? undefined : claim;
}

const NONE: ReadonlySet<UncertainFact> = new Set();

function unknownFacts(
  { volume, backup: reference }: Parameters<LimitsOf>[0],
  claim: PersistentVolumeClaim | undefined,
  backup: Backup | undefined,
  storageClass: string | undefined,
): ReadonlySet<UncertainFact> {
  // A volume without a namespace is no PVC: it has neither labels nor a class.
  const claimUnknown = claim === undefined && volume.namespace !== undefined;
  const backupUnknown = backup === undefined && reference !== undefined;
  if (!claimUnknown && !backupUnknown) {
    return NONE;
  }
  return new Set<UncertainFact>([
    ...(claimUnknown ? (["pvcLabels"] as const) : []),
    ...(claimUnknown && storageClass === undefined ? (["storageClass"] as const) : []),
    ...(backupUnknown ? (["schedule", "requested"] as const) : []),
  ]);
}
