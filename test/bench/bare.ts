import type { IncomingMessage, ServerResponse } from "node:http";

/** The least that any Node webhook does: read, parse, one label patch, answer. */
export function answerBare(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    // oxlint-disable-next-line typescript/no-unsafe-assignment -- a bare handler trusts what it gets
    const review = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    const labels = { "velero.io/snapshot-alias-name": "a", "velero.io/snapshot-volume-name": "b" };
    const patch = Buffer.from(
      JSON.stringify([{ op: "add", path: "/metadata/labels", value: labels }]),
    ).toString("base64");
    const body = JSON.stringify({
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      // oxlint-disable-next-line typescript/no-unsafe-assignment, typescript/no-unsafe-member-access -- see above
      response: { uid: review.request.uid, allowed: true, patchType: "JSONPatch", patch },
    });
    response.writeHead(200, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    });
    response.end(body);
  });
}
