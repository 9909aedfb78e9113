import type * as z from "zod";
import type { Check } from "../kube/object-checks.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import type { Account } from "./accounts.ts";
import type { Lookup } from "./lookup.ts";
import type { Outcome } from "./outcome.ts";
import type { Signer } from "./signer.ts";

/** A request about one kind of object, its bodies parsed. */
export interface Request<T> {
  readonly operation: "CREATE" | "UPDATE";
  readonly namespace: string;
  /** Empty where the API server had not yet generated it. */
  readonly name: string;
  readonly account: Account;
  readonly username: string;
  /** Nothing will be stored: nobody may be asked to do anything for it. */
  readonly dryRun: boolean;
  readonly object: T;
  /** Present on UPDATE. */
  readonly oldObject: T | undefined;
}

/** What every decision may use beside the request and its related objects. */
export interface Surroundings {
  readonly policy: RetentionPolicy;
  /** Where the policy is, for messages: `ConfigMap snapshot-retainer/snapshot-retainer-policy`. */
  readonly policyLocation: string;
  readonly signer: Signer;
  /** A new random identifier. */
  readonly randomId: () => string;
  /** Whether the served DataUpload has `spec.retainSnapshot` (no released Velero has, so far). */
  readonly hasRetainSnapshotField: boolean;
  /** Whether a retention controller holds its Lease: what is retained without one, nobody frees. */
  readonly controllerAlive: boolean;
}

/** A rule for one kind: first what it needs to know of other objects, then the pure decision. */
export interface Rule<T, R> {
  readonly schema: z.ZodType<T>;
  /** A cheaper check for the usual case; without one, or where it does not take an object, the schema reads it. */
  readonly check?: Check<T>;
  /** A promise only where something has to be waited for. */
  gather(request: Request<T>, lookup: Lookup, surroundings: Surroundings): R | Promise<R>;
  decide(request: Request<T>, related: R, surroundings: Surroundings): Outcome;
}
