import { randomUUID } from "node:crypto";
import { request } from "node:https";
import type { Agent } from "node:https";
import type { IncomingHttpHeaders } from "node:http";
import * as z from "zod";

/** What a server answered to a POST. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const Review = z.object({
  apiVersion: z.literal("admission.k8s.io/v1"),
  kind: z.literal("AdmissionReview"),
  response: z.strictObject({
    uid: z.string(),
    allowed: z.boolean(),
    patch: z.string().optional(),
    patchType: z.string().optional(),
    warnings: z.array(z.string()).optional(),
    auditAnnotations: z.record(z.string(), z.string()).optional(),
  }),
});

/** POSTs a body to the webhook's own port, as the API server does, or as it never would. */
export async function rawPost(
  url: string,
  body: string,
  options: { readonly ca: string; readonly agent?: Agent },
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const sent = request(url, { method: "POST", headers, ...options }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** The response of an answer that is an AdmissionReview; throws where it is anything else. */
export function responseOf({ body }: RawAnswer): z.infer<typeof Review>["response"] {
  return Review.parse(JSON.parse(body)).response;
}

/** What a review is about, beside the object itself. */
interface Reviewed {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: unknown;
  readonly [field: string]: unknown;
}

const Named = z.object({ name: z.string().default(""), namespace: z.string().default("") });

/** The review of an object's creation, as the API server sends it; null is an object that it never sends. */
export function aReview(
  object: Reviewed | null,
  uid: string = randomUUID(),
  username: string = "alice",
): string {
  const { apiVersion, kind, metadata } = object ?? { apiVersion: "velero.io/v1", kind: "Backup" };
  const [version = "", group = ""] = apiVersion.split("/").toReversed();
  const { name = "", namespace = "velero" } = Named.safeParse(metadata).data ?? {};
  return JSON.stringify({
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      uid,
      kind: { group, version, kind },
      resource: { group, version, resource: `${kind.toLowerCase()}s` },
      name,
      namespace,
      operation: "CREATE",
      userInfo: { username },
      object,
      oldObject: null,
      dryRun: false,
    },
  });
}
