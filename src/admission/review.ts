import { z } from "zod";
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
  const review = AdmissionReview.safeParse(value);
  if (review.success) {
    return { kind: "request", request: review.data.request };
  }
  const issue = review.error.issues[0];
  const path = issue === undefined ? "" : issue.path.join(".");
  const message = `the body is not an AdmissionReview of admission.k8s.io/v1: ${path}: ${issue?.message ?? "unreadable"}`;
  return { kind: "unreadable", code: "unreadable", uid: findUid(body), message };
}

/** The JSON of an AdmissionReview response; the API server reads it only with status 200. */
export function encodeReview(answer: AdmissionAnswer): string {
  const { uid, allowed, message, patch, warnings, auditAnnotations } = answer;
  const response: Record<string, unknown> = { uid, allowed };
  if (message !== undefined) {
    response["status"] = { message, code: allowed ? 200 : 422, reason: allowed ? "" : "Invalid" };
  }
  if (patch !== undefined && patch.length > 0) {
    response["patchType"] = "JSONPatch";
    response["patch"] = Buffer.from(JSON.stringify(patch)).toString("base64");
  }
  if (warnings !== undefined && warnings.length > 0) {
    response["warnings"] = warnings;
  }
  if (auditAnnotations !== undefined) {
    response["auditAnnotations"] = auditAnnotations;
  }
  return JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response });
}

/**
 * The request's UID out of a body that cannot be parsed (cut short, or too large to be read whole): the API
 * server writes it first, and answers without it are refused.
 */
export function findUid(body: string): string {
  const start = body.slice(0, 4096);
  return /"request"\s*:\s*\{[^{}]*?"uid"\s*:\s*"([0-9a-zA-Z-]{1,64})"/.exec(start)?.[1] ?? "";
}
