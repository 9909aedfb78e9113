import { AnyObject, valueOf } from "../kube/objects.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { LookupFailed } from "./lookup.ts";
import type { Lookup } from "./lookup.ts";
import { unchanged } from "./outcome.ts";
import type { Code, Outcome } from "./outcome.ts";
import { patchFor } from "./patch.ts";
import type { Editable, PatchOperation } from "./patch.ts";
import { readRequest, UnreadableObject } from "./request.ts";
import type { AdmissionRequest } from "./review.ts";
import type { Rule, Surroundings } from "./rule.ts";
import { backupRule } from "./rules/backup.ts";
import { dataDownloadRule } from "./rules/data-download.ts";
import { dataUploadRule } from "./rules/data-upload.ts";
import { saoRule } from "./rules/snapshot-associated-object.ts";
import { volumeSnapshotContentRule } from "./rules/volume-snapshot-content.ts";
import { volumeSnapshotRule } from "./rules/volume-snapshot.ts";

/** What the handler works with; `policy` is undefined until the first valid one was loaded. */
export interface HandlerContext extends Omit<Surroundings, "policy"> {
  readonly policy: RetentionPolicy | undefined;
  readonly lookup: Lookup;
  /** Usernames of our own ServiceAccounts. */
  readonly ownAccounts: readonly string[];
}

/** What a request gets: the outcome, and the patch that carries it out (empty in audit mode). */
export interface Verdict {
  readonly outcome: Outcome;
  readonly patch: readonly PatchOperation[];
  /** Whether the policy only watches: the patch was computed and held back. */
  readonly audited: boolean;
}

/**
 * Decides one request: finds the rule of its kind, gathers, decides, and computes the patch. Never throws and never
 * denies: whatever goes wrong, the request is allowed unchanged and told why. A promise, which never rejects, only where
 * a rule waits for a look-up.
 */
export function admit(request: AdmissionRequest, context: HandlerContext): Verdict | Promise<Verdict> {
  if (!hasPolicy(context)) {
    return allowed(
      unchanged("no_policy", "snapshot-retainer: unchanged, since no valid policy has been loaded yet"),
    );
  }
  const rule = ruleFor(request, context.policy);
  if (rule === undefined) {
    return allowed(unchanged("not_handled"));
  }
  try {
    const verdict = rule(request, context);
    return verdict instanceof Promise ? verdict.catch((error: unknown) => allowed(failure(error))) : verdict;
  } catch (error) {
    return allowed(failure(error));
  }
}

type WithPolicy = HandlerContext & Surroundings;

function hasPolicy(context: HandlerContext): context is WithPolicy {
  return context.policy !== undefined;
}

type Bound = (request: AdmissionRequest, context: WithPolicy) => Verdict | Promise<Verdict>;

const RULES: ReadonlyMap<string, Bound> = new Map([
  ["velero.io/backups", bind(backupRule)],
  ["velero.io/datauploads", bind(dataUploadRule)],
  ["velero.io/datadownloads", bind(dataDownloadRule)],
  ["snapshot.storage.k8s.io/volumesnapshots", bind(volumeSnapshotRule)],
  ["snapshot.storage.k8s.io/volumesnapshotcontents", bind(volumeSnapshotContentRule)],
]);

function ruleFor(request: AdmissionRequest, policy: RetentionPolicy): Bound | undefined {
  const { group, resource } = request.resource;
  if (
    (request.subResource ?? "") !== "" ||
    (request.operation !== "CREATE" && request.operation !== "UPDATE")
  ) {
    return undefined;
  }
  const own = RULES.get(`${group}/${resource}`);
  if (own !== undefined) {
    return own;
  }
  const sao = policy.snapshotAssociatedObjects.find(
    (entry) => entry.group === group && entry.resource === resource,
  );
  return sao === undefined ? undefined : bindSao(policy);
}

/** Several entries may share a resource: the one whose labels the object carries is meant. */
function bindSao(policy: RetentionPolicy): Bound {
  return (request, context) => {
    for (const entry of policy.snapshotAssociatedObjects) {
      const inResource =
        entry.group === request.resource.group && entry.resource === request.resource.resource;
      if (inResource && selects(entry, request)) {
        return bind(saoRule(entry))(request, context);
      }
    }
    return allowed(unchanged("not_ours"));
  };
}

function selects(
  entry: RetentionPolicy["snapshotAssociatedObjects"][number],
  request: AdmissionRequest,
): boolean {
  const inNamespace = entry.namespaces.length === 0 || entry.namespaces.includes(request.namespace ?? "");
  return (
    inNamespace && [request.object, request.oldObject].some((object) => hasLabels(object, entry.matchLabels))
  );
}

function hasLabels(object: unknown, wanted: Readonly<Record<string, string>>): boolean {
  const parsed = AnyObject.safeParse(object);
  return (
    parsed.success &&
    Object.entries(wanted).every(([key, value]) => valueOf(parsed.data.metadata.labels, key) === value)
  );
}

function bind<T extends Editable, R>(rule: Rule<T, R>): Bound {
  return (raw, context) => {
    const request = readRequest(rule, raw, context);
    function decide(related: R): Verdict {
      return conclude(rule.decide(request, related, context), request.object, context.policy);
    }
    const related = rule.gather(request, context.lookup, context);
    return related instanceof Promise ? related.then(decide) : decide(related);
  };
}

function conclude(decided: Outcome, object: Editable, policy: RetentionPolicy): Verdict {
  const patch = decided.edits === undefined ? [] : patchFor(object, decided.edits);
  const outcome: Outcome = patch.length === 0 && decided.edits !== undefined ? nothingToDo(decided) : decided;
  if (policy.mode !== "audit" || patch.length === 0) {
    return { outcome, patch, audited: false };
  }
  const warnings = [
    `snapshot-retainer: audit mode: would change ${patch.map((step) => step.path).join(", ")}`,
  ];
  return { outcome: { ...outcome, warnings }, patch, audited: true };
}

function nothingToDo(decided: Outcome): Outcome {
  const { audit } = decided;
  const keeps = decided.code === "limit_kept";
  return { code: keeps ? "limit_kept" : "already_set", ...(audit === undefined ? {} : { audit }) };
}

function allowed(outcome: Outcome): Verdict {
  return { outcome, patch: [], audited: false };
}

function failure(error: unknown): Outcome {
  // Not String(error): an object without a prototype has no text, and asking for one throws.
  const message = error instanceof Error ? error.message : `${typeof error} thrown`;
  const [code, why] = failureOf(error);
  return unchanged(code, `snapshot-retainer: unchanged, since ${why}: ${message.slice(0, 200)}`);
}

function failureOf(error: unknown): [Code, string] {
  if (error instanceof UnreadableObject) {
    return ["unreadable", "the object could not be read"];
  }
  return error instanceof LookupFailed
    ? ["lookup_failed", "a related object could not be looked up"]
    : ["internal_error", "of an internal error"];
}
