import {
  LIMIT_ANNOTATION,
  REQUESTED_LIMIT_ANNOTATION,
  RESERVED_BACKUP_ANNOTATIONS,
  VELERO_SCHEDULE_NAME_LABEL,
} from "../../kube/keys.ts";
import { isBackup } from "../../kube/object-checks.ts";
import { Backup, valueOf } from "../../kube/objects.ts";
import { backupNumber } from "../../policy/limit.ts";
import type { Limit } from "../../policy/limit.ts";
import type { RetentionPolicy } from "../../policy/schema.ts";
import { unchanged } from "../outcome.ts";
import type { Code, Outcome } from "../outcome.ts";
import { protect } from "../protect.ts";
import type { Request, Rule, Surroundings } from "../rule.ts";

/** New Backups carry the limit annotation; nobody but Velero and ourselves changes it afterwards. */
export const backupRule: Rule<Backup, undefined> = {
  schema: Backup,
  check: isBackup,
  gather: () => undefined,
  decide,
};

function decide(request: Request<Backup>, _related: undefined, surroundings: Surroundings): Outcome {
  const reason = notOurs(request, surroundings.policy);
  if (reason !== undefined) {
    return unchanged(reason);
  }
  if (request.operation === "UPDATE") {
    return protect(
      request,
      { labels: [], annotations: RESERVED_BACKUP_ANNOTATIONS },
      surroundings.policyLocation,
    );
  }
  return setLimit(request, surroundings);
}

function notOurs(request: Request<Backup>, policy: RetentionPolicy): Code | undefined {
  const { metadata, status } = request.object;
  if (!policy.velero.namespaces.includes(request.namespace)) {
    return "not_velero_namespace";
  }
  if (typeof metadata.deletionTimestamp === "string") {
    return "being_deleted";
  }
  // On UPDATE the old object counts too: else one change that also ends the moving would set the number free.
  if (!mayMove(request.object) && !mayMove(request.oldObject ?? request.object)) {
    return "does_not_move";
  }
  const phase = status?.phase ?? "";
  return request.operation === "CREATE" && phase !== "" && phase !== "New" ? "synced" : undefined;
}

/** Absent means: the server's default decides, later. An annotation that is not needed harms nobody. */
function mayMove({ spec }: Backup): boolean {
  return spec?.snapshotMoveData !== false;
}

/** What a user wrote on a Backup. */
type Asked =
  | { readonly kind: "nothing" }
  | { readonly kind: "number"; readonly number: number }
  | { readonly kind: "invalid"; readonly text: string };

function setLimit(request: Request<Backup>, surroundings: Surroundings): Outcome {
  const { policy } = surroundings;
  const { labels, annotations } = request.object.metadata;
  const text = valueOf(annotations, LIMIT_ANNOTATION);
  const wanted = backupNumber(policy, valueOf(labels, VELERO_SCHEDULE_NAME_LABEL));
  const asked = parseAsked(text);
  if (asked.kind === "number" && mayStay(asked.number, wanted.number, policy)) {
    const reason = `the number on the Backup, instead of ${wanted.number} by ${wanted.reason}`;
    return withLimit("limit_kept", asked.number, String(asked.number), reason);
  }
  if (asked.kind === "number" && asked.number === wanted.number) {
    return withLimit("already_set", wanted.number, undefined, wanted.reason);
  }
  const result = withLimit("limit_set", wanted.number, undefined, wanted.reason);
  return asked.kind === "nothing" ? result : { ...result, ...explain(asked, wanted, surroundings) };
}

function withLimit(code: Code, number: number, requested: string | undefined, reason: string): Outcome {
  const annotations = { [LIMIT_ANNOTATION]: String(number), [REQUESTED_LIMIT_ANNOTATION]: requested };
  return { code, edits: { annotations }, audit: { limit: String(number), reason } };
}

/** The API's own integers: an optional sign and digits, within 32 bits. */
function parseAsked(text: string | undefined): Asked {
  if (text === undefined) {
    return { kind: "nothing" };
  }
  const number = Number(text);
  return /^[+-]?\d{1,10}$/.test(text) && Math.abs(number) < 2 ** 31
    ? { kind: "number", number }
    : { kind: "invalid", text };
}

function mayStay(asked: number, wanted: number, policy: RetentionPolicy): boolean {
  switch (policy.backupAnnotation) {
    case "enforce":
      return false;
    case "cap":
      return asked < wanted;
    case "default":
      return asked !== wanted;
  }
}

function explain(
  asked: Exclude<Asked, { kind: "nothing" }>,
  wanted: Limit,
  surroundings: Surroundings,
): Outcome {
  const invalid = asked.kind === "invalid";
  const found = invalid
    ? `${JSON.stringify(asked.text.slice(0, 40))} is not a whole number and`
    : `${asked.number}`;
  const message =
    `snapshot-retainer: ${LIMIT_ANNOTATION}: ${found} was replaced by ${wanted.number}: ` +
    `${wanted.reason} decides (policy: ${surroundings.policyLocation})`;
  return {
    code: invalid ? "limit_invalid" : "limit_overwritten",
    warnings: [message],
    notices: [{ type: "Warning", reason: invalid ? "LimitInvalid" : "LimitOverwritten", message }],
  };
}
