import { AdmissionRequest } from "../../src/admission/review.ts";
import { asSent } from "./objects.ts";
import type { Json } from "./objects.ts";

export const VELERO = "system:serviceaccount:velero:velero";
export const SNAPSHOT_CONTROLLER = "system:serviceaccount:kube-system:snapshot-controller";
export const OWN = "system:serviceaccount:snapshot-retainer:snapshot-retainer-controller";
export const ACME_MOVER = "system:serviceaccount:acme-mover:mover";
export const TENANT = "alice@example.com";

/** The UID of every request that a case does not give its own. */
export const REQUEST_UID = "705ab4f5-6393-11e8-b7cc-42010a800002";

/** What a case says of its request. */
export interface RequestParts {
  readonly object: Json;
  /** An UPDATE of this object; else a CREATE. */
  readonly oldObject?: Json;
  readonly by?: string;
  readonly fields?: Json;
}

/** A request as the API server sends it, kind and names taken from the object. */
export function aRequest({ object, oldObject, by = VELERO, fields = {} }: RequestParts): AdmissionRequest {
  return AdmissionRequest.parse(aRequestBody({ object, by, fields, ...(oldObject && { oldObject }) }));
}

/** The same as the JSON that stands in an AdmissionReview. */
export function aRequestBody({ object, oldObject, by = VELERO, fields = {} }: RequestParts): Json {
  const kind = textOf(object["kind"]);
  const [group = "", version = ""] = apiVersionOf(object);
  const metadata = partOf(object["metadata"]);
  const gvk = { group, version, kind };
  const gvr = { group, version, resource: `${kind.toLowerCase()}s` };
  return asSent({
    uid: REQUEST_UID,
    kind: gvk,
    resource: gvr,
    requestKind: gvk,
    requestResource: gvr,
    name: metadata["name"],
    namespace: metadata["namespace"],
    operation: oldObject === undefined ? "CREATE" : "UPDATE",
    userInfo: { username: by, groups: ["system:authenticated"] },
    object,
    oldObject: oldObject ?? null,
    dryRun: false,
    ...fields,
  });
}

/** The text of an AdmissionReview around a request. */
export function aReview(request: Json): string {
  return JSON.stringify({ kind: "AdmissionReview", apiVersion: "admission.k8s.io/v1", request });
}

function apiVersionOf(object: Json): string[] {
  const text = textOf(object["apiVersion"]);
  return text.includes("/") ? text.split("/") : ["", text];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function partOf(value: unknown): Json {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
