import * as z from "zod";
import { Duration } from "./duration.ts";

/** A name of a Kubernetes namespace (RFC 1123 label). */
const NamespaceName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, "is not a namespace name (lower-case letters, digits and '-')")
  .max(63);

/** A username or a glob of usernames, as the API server knows them: `system:serviceaccount:velero:*`. */
const AccountGlob = z.string().min(1, "must name an account");

/** RFC 6901: empty, or parts that begin with "/". */
const JsonPointer = z.string().regex(/^(\/([^/~]|~[01])*)+$/, "is not a JSON Pointer such as /data/volumeId");

const Names = z
  .array(z.string().min(1))
  .min(1, "must list at least one name; leave the condition out to match all");

/** Conditions of a rule; all that are given must hold, a list holds when one of its entries matches. */
export const RuleConditions = z.strictObject({
  drivers: Names.optional().describe(
    "CSI drivers, by exact name or by suffix after a dot: `rbd.csi.ceph.com` also matches `rook-ceph.rbd.csi.ceph.com`.",
  ),
  storageClasses: Names.optional().describe("Names of storage classes, exact."),
  namespaces: Names.optional().describe("Namespaces of the PVC; globs such as `prod-*` are allowed."),
  pvcLabels: z
    .record(z.string().min(1), z.string())
    .optional()
    .describe("Labels that the PVC must carry with exactly these values."),
  schedules: Names.optional().describe(
    "Names of the Velero Schedules that made the Backup; globs are allowed.",
  ),
});
export type RuleConditions = z.infer<typeof RuleConditions>;

const RetainNumber = z.int("must be a whole number").max(100_000, "must be 100000 or less");

/** One rule; the first whose conditions hold gives the number. */
export const Rule = z.strictObject({
  name: z.string().min(1).describe("Shown wherever the number is explained."),
  when: RuleConditions.describe("Conditions; all that are given must hold."),
  snapshotsToRetain: RetainNumber.describe("The number for matching volumes; 0 or less retains none."),
});
export type Rule = z.infer<typeof Rule>;

const CeilingNumber = RetainNumber.min(0, "must be 0 or more");

/** Where another data mover plugin keeps its snapshot associated objects, and how to read them. */
export const SnapshotAssociatedObject = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, "must be lower-case letters, digits and '-'")
    .describe("A short name for this kind, used in webhook names, messages and metrics."),
  group: z.string().default("").describe('API group; "" is the core group.'),
  version: z.string().min(1).default("v1").describe("API version."),
  resource: z
    .string()
    .regex(/^[a-z0-9]+$/, "must be the plural, lower-case resource name, such as configmaps")
    .describe("Plural resource name, such as `configmaps`."),
  namespaces: z.array(NamespaceName).default([]).describe("Only in these namespaces; empty means all."),
  matchLabels: z
    .record(z.string().min(1), z.string())
    .refine((labels) => Object.keys(labels).length > 0, "must select by at least one label")
    .describe("Labels that tell these objects from all others of the resource."),
  accounts: z
    .array(AccountGlob)
    .min(1, "must name who creates these objects: labels of anyone else are not believed")
    .describe("Usernames (globs) of the plugin and its data movers."),
  volume: z
    .strictObject({
      namespace: JsonPointer.optional().describe(
        "JSON Pointer to the namespace of the PVC; left out for a volume id.",
      ),
      name: JsonPointer.describe("JSON Pointer to the name of the PVC, or to an id of the volume."),
    })
    .describe("Where the object says which volume the snapshot was taken of."),
  snapshotHandle: JsonPointer.describe(
    "JSON Pointer to what identifies the snapshot on the storage; clones share it.",
  ),
});
export type SnapshotAssociatedObject = z.infer<typeof SnapshotAssociatedObject>;

const BucketCount = z
  .int("must be a whole number")
  .min(0, "must be 0 or more")
  .max(10_000, "must be 10000 or less");

const Keep = z.strictObject({
  hourly: BucketCount.default(0).describe("The newest of each of the last so many hours that have one."),
  daily: BucketCount.default(0).describe("The newest of each of the last so many days that have one (UTC)."),
  weekly: BucketCount.default(0).describe(
    "The newest of each of the last so many weeks that have one (ISO, UTC).",
  ),
  monthly: BucketCount.default(0).describe(
    "The newest of each of the last so many months that have one (UTC).",
  ),
});
export type Keep = z.infer<typeof Keep>;

const Velero = z.strictObject({
  namespaces: z
    .array(NamespaceName)
    .min(1)
    .default(["velero"])
    .describe("Namespaces that Velero is installed in."),
  accounts: z
    .array(AccountGlob)
    .min(1)
    .optional()
    .describe(
      "Usernames (globs) of Velero's server, plugins and node-agent. Left out: every ServiceAccount in `velero.namespaces`.",
    ),
});

/** The policy: everything an admin decides. Unknown fields are errors. */
export const RetentionPolicy = z.strictObject({
  apiVersion: z.literal("snapshot-retainer.io/v1alpha1"),
  kind: z.literal("RetentionPolicy"),
  mode: z
    .enum(["enforce", "audit", "paused"])
    .default("enforce")
    .describe(
      "`enforce`: act. `audit`: compute and report, change nothing. `paused`: keep labelling, delete nothing.",
    ),
  snapshotsToRetain: RetainNumber.default(0).describe(
    "How many snapshots to retain for each volume (the design's data-mover-snapshot-to-retain); 0 or less retains none.",
  ),
  backupAnnotation: z
    .enum(["enforce", "cap", "default"])
    .default("enforce")
    .describe(
      "What becomes of a number that a user wrote on a Backup: `enforce` overwrites it, `cap` lets a lower one stay, `default` lets any valid one stay.",
    ),
  volumeName: z
    .enum(["namespacedName", "uid"])
    .default("namespacedName")
    .describe(
      "What identifies a volume in the label velero.io/snapshot-volume-name: the PVC's `namespace.name`, or its UID (a re-created PVC is then another volume).",
    ),
  rules: z
    .array(Rule)
    .default([])
    .describe("Ordered; the first rule that matches a volume overrides `snapshotsToRetain`."),
  ceilings: z
    .strictObject({
      drivers: z
        .record(z.string().min(1), CeilingNumber)
        .default({})
        .describe("Most snapshots by CSI driver."),
      storageClasses: z
        .record(z.string().min(1), CeilingNumber)
        .default({})
        .describe("Most snapshots by storage class, for drivers whose backends differ."),
    })
    .prefault({})
    .describe(
      "Hard ceilings that no rule and no user exceeds; they replace the built-in number of a driver.",
    ),
  waitForRoom: Duration.prefault("5s").describe(
    "How long the creation of a VolumeSnapshot waits for the oldest one to be freed, at most; the webhook's own timeout also ends it.",
  ),
  keepAtLeastOne: z
    .boolean()
    .default(true)
    .describe(
      "Never prune the newest good snapshot of a volume, unless its number is 0 or the one being taken fills the number alone.",
    ),
  maxAge: Duration.optional().describe("Older snapshots go, whatever `keep` says: such as `30d` or `72h`."),
  minAge: Duration.optional().describe(
    "Younger snapshots stay, whatever `keep` says; the number and the ceiling still win. Not more than `maxAge`.",
  ),
  keep: Keep.optional().describe(
    "Keep the newest of each hour, day, week, month, and let the others go; up to the number and the ceiling. Left out: the newest ones.",
  ),
  deletionsPerMinute: z
    .int("must be a whole number")
    .min(1, "must be 1 or more; mode: paused stops deletions")
    .max(100_000, "must be 100000 or less")
    .default(60)
    .describe("Snapshots that are freed in a minute at most."),
  velero: Velero.prefault({}).describe("Where Velero runs, and under which accounts."),
  dataMovers: z
    .strictObject({
      accounts: z.array(AccountGlob).default([]).describe("Usernames (globs) of third-party data movers."),
    })
    .prefault({})
    .describe("Data movers other than Velero's own."),
  snapshotAssociatedObjects: z
    .array(SnapshotAssociatedObject)
    .default([])
    .describe("Snapshot associated objects of other data mover plugins."),
});
export type RetentionPolicy = z.infer<typeof RetentionPolicy>;
