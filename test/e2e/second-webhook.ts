import { once } from "node:events";
import { createServer } from "node:https";
import { json } from "node:stream/consumers";
import * as z from "zod";
import { aHeld, someKeys } from "../certs/pair.ts";
import type { Api, Ref } from "./api.ts";

/** Another product's mutating webhook, whose changes make the API server ask the earlier webhooks again. */
export interface SecondWebhook {
  stop(): Promise<void>;
}

const Review = z.object({
  request: z.object({
    uid: z.string(),
    object: z.object({
      metadata: z.object({
        labels: z.record(z.string(), z.string()),
        annotations: z.record(z.string(), z.string()).default({}),
      }),
    }),
  }),
});

/** Adds `second.example/seen` to whatever has a label `second.example/wanted`, as what that says: labels or annotations. */
export async function startSecondWebhook(api: Api): Promise<SecondWebhook> {
  const keys = await someKeys();
  const held = aHeld(keys, { names: ["127.0.0.1"], now: new Date() });
  const { cert = "", key = "", caCert = "" } = held;
  const server = createServer({ cert, key }, (request, response) => {
    json(request)
      .then((body) => response.end(JSON.stringify(answer(Review.parse(body)))))
      .catch(() => response.writeHead(500).end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = z.object({ port: z.number() }).parse(server.address());
  const configuration = aConfiguration(`https://127.0.0.1:${address.port}/`, btoa(caCert));
  await api.create(configuration);
  return {
    async stop() {
      await api.remove(configuration);
      server.closeAllConnections();
      server.close();
    },
  };
}

function answer({ request: { uid, object } }: z.infer<typeof Review>): unknown {
  const { labels, annotations } = object.metadata;
  const wanted = labels["second.example/wanted"] === "labels" ? "labels" : "annotations";
  const isThere = { ...annotations, ...labels }["second.example/seen"] !== undefined;
  const path = `/metadata/${wanted}/second.example~1seen`;
  const change = { patchType: "JSONPatch", patch: btoa(JSON.stringify([{ op: "add", path, value: "yes" }])) };
  return {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: { uid, allowed: true, ...(isThere ? {} : change) },
  };
}

/** The API server calls configurations in the order of their names. */
function aConfiguration(url: string, caBundle: string): Ref & Record<string, unknown> {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "MutatingWebhookConfiguration",
    metadata: { name: "zz-second" },
    webhooks: [
      {
        name: "second.example.com",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        failurePolicy: "Fail",
        clientConfig: { url, caBundle },
        objectSelector: { matchExpressions: [{ key: "second.example/wanted", operator: "Exists" }] },
        rules: [{ apiGroups: ["*"], apiVersions: ["*"], resources: ["*"], operations: ["CREATE"] }],
      },
    ],
  };
}
