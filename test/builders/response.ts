import * as z from "zod";

const Operation = z.object({ op: z.string(), path: z.string(), value: z.unknown().optional() });

/** An AdmissionReview's response as the API server reads it, the patch decoded. */
export const ReviewResponse = z.strictObject({
  apiVersion: z.literal("admission.k8s.io/v1"),
  kind: z.literal("AdmissionReview"),
  response: z.strictObject({
    uid: z.string(),
    allowed: z.boolean(),
    status: z.strictObject({ message: z.string(), code: z.number(), reason: z.string() }).optional(),
    patchType: z.literal("JSONPatch").optional(),
    patch: z
      .base64()
      .transform((text) => z.array(Operation).parse(JSON.parse(Buffer.from(text, "base64").toString("utf8"))))
      .optional(),
    warnings: z.array(z.string()).optional(),
    auditAnnotations: z.record(z.string(), z.string()).optional(),
  }),
});

/** Reads an answer; throws for anything that is not a complete AdmissionReview. */
export function readResponse(text: string): z.infer<typeof ReviewResponse>["response"] {
  return ReviewResponse.parse(JSON.parse(text)).response;
}
