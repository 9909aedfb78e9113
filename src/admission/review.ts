import * as z from "zod";
import { areOptionalTexts, isObject } from "../kube/object-checks.ts";
import type { JsonObject } from "../kube/object-checks.ts";
import type { PatchOperation } from "./patch.ts";

const GroupVersionResource = z.object({ group: z.string(), version: z.string(), resource: z.string() });

/** What we read of an AdmissionReview v1 request. */
export const AdmissionRequest = z.object({
  uid: z.string(),
  kind: z.object({ kind: z.string() }),
  resource: GroupVersionResource,
  subResource: z.string().optional(),
  name: z.string().optional(),
  namespace: z.string().optional(),
  operation: z.enum(["CREATE", "UPDATE", "DELETE", "CONNECT"]),
  userInfo: z.object({ username: z.string().default("") }),
  object: z.unknown(),
  oldObject: z.unknown(),
  dryRun: z.boolean().nullish(),
});
export type AdmissionRequest = z.infer<typeof AdmissionRequest>;

const AdmissionReview = z.object({
  apiVersion: z.literal("admission.k8s.io/v1"),
  kind: z.literal("AdmissionReview"),
  request: AdmissionRequest,
});

/** A request that could be read, or why not; the UID is kept wherever it could be found. */
export type DecodedReview =
  | { readonly kind: "request"; readonly request: AdmissionRequest }
  | {
      readonly kind: "unreadable";
      readonly code: "unreadable" | "too_large";
      readonly uid: string;
      readonly message: string;
    };

/** What is answered: allowed, with what was changed and said. Only the policy's validation ever denies. */
export interface AdmissionAnswer {
  readonly uid: string;
  readonly allowed: boolean;
  readonly message?: string;
  readonly patch?: readonly PatchOperation[];
  readonly warnings?: readonly string[];
  readonly auditAnnotations?: Readonly<Record<string, string>>;
}

/** Reads the body of a POST. Never throws. */
export function decodeReview(body: string): DecodedReview {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return {
      kind: "unreadable",
      code: "unreadable",
      uid: findUid(body),
      message: "the body is not valid JSON",
    };
  }
  if (isReview(value)) {
    return { kind: "request", request: value.request };
  }
  const review = AdmissionReview.safeParse(value);
  if (review.success) {
    return { kind: "request", request: review.data.request };
  }
  const issue = review.error.issues[0];
  const path = issue === undefined ? "" : issue.path.join(".");
  const message = `the body is not an AdmissionReview of admission.k8s.io/v1: ${path}: ${issue?.message ?? "unreadable"}`;
  return { kind: "unreadable", code: "unreadable", uid: findUid(body), message };
}

/** As in object-checks.ts: what the schema takes as it is, without its copying; all else is left to the schema. */
function isReview(value: unknown): value is z.infer<typeof AdmissionReview> {
  return (
    isObject(value) &&
    value["apiVersion"] === "admission.k8s.io/v1" &&
    value["kind"] === "AdmissionReview" &&
    isObject(value["request"]) &&
    isRequest(value["request"])
  );
}

function isRequest(request: JsonObject): boolean {
  const { uid, kind, resource, userInfo, operation, dryRun } = request;
  return (
    typeof uid === "string" &&
    isObject(kind) &&
    typeof kind["kind"] === "string" &&
    isObject(resource) &&
    isResource(resource) &&
    areOptionalTexts(request, ["subResource", "name", "namespace"]) &&
    isOperation(operation) &&
    isObject(userInfo) &&
    typeof userInfo["username"] === "string" &&
    (dryRun === undefined || typeof dryRun === "boolean")
  );
}

/** Those that a rule handles; the others are rare. */
function isOperation(value: unknown): boolean {
  return value === "CREATE" || value === "UPDATE";
}

function isResource({ group, version, resource }: JsonObject): boolean {
  return typeof group === "string" && typeof version === "string" && typeof resource === "string";
}

/**
 * The JSON of an AdmissionReview response; the API server reads it only with status 200. The patch, which is nearly all
 * of it, is base64 and needs no escaping, hence put together here.
 */
export function encodeReview(answer: AdmissionAnswer): string {
  const { uid, allowed, message, patch, warnings, auditAnnotations } = answer;
  let response = `"uid":${JSON.stringify(uid)},"allowed":${allowed}`;
  if (message !== undefined) {
    const status = { message, code: allowed ? 200 : 422, reason: allowed ? "" : "Invalid" };
    response += `,"status":${JSON.stringify(status)}`;
  }
  if (patch !== undefined && patch.length > 0) {
    response += `,"patchType":"JSONPatch","patch":"${Buffer.from(JSON.stringify(patch)).toString("base64")}"`;
  }
  if (warnings !== undefined && warnings.length > 0) {
    response += `,"warnings":${JSON.stringify(warnings)}`;
  }
  if (auditAnnotations !== undefined) {
    response += `,"auditAnnotations":${JSON.stringify(auditAnnotations)}`;
  }
  return `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{${response}}}`;
}

/**
 * The request's UID out of a body that cannot be parsed (cut short, or too large to be read whole): the API
 * server writes it first, and answers without it are refused.
 */
export function findUid(body: string): string {
  const start = body.slice(0, 4096);
  return /"request"\s*:\s*\{[^{}]*?"uid"\s*:\s*"([0-9a-zA-Z-]{1,64})"/.exec(start)?.[1] ?? "";
}
