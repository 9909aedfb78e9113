import type * as z from "zod";
import { RetentionPolicy } from "../../src/policy/schema.ts";

/** A policy that retains three, with what a case is about changed. */
export function aPolicy(overrides: Partial<z.input<typeof RetentionPolicy>> = {}): RetentionPolicy {
  return RetentionPolicy.parse({
    apiVersion: "snapshot-retainer.io/v1alpha1",
    kind: "RetentionPolicy",
    snapshotsToRetain: 3,
    ...overrides,
  });
}

/** The text of a policy document: its two fixed lines, then these. */
export function aPolicyText(...lines: string[]): string {
  return ["apiVersion: snapshot-retainer.io/v1alpha1", "kind: RetentionPolicy", ...lines, ""].join("\n");
}

/** The entry of a policy's snapshotAssociatedObjects that `anAcmeSnapshot` belongs to. */
export const ACME = {
  name: "acme",
  resource: "configmaps",
  matchLabels: { "acme.io/snapshot": "true" },
  accounts: ["system:serviceaccount:acme-mover:*"],
  volume: { namespace: "/data/pvcNamespace", name: "/data/pvcName" },
  snapshotHandle: "/data/snapshotId",
};

/** The same, in the one namespace where that mover works. */
export const ACME_IN_ITS_NAMESPACE = { ...ACME, namespaces: ["acme-mover"] };
