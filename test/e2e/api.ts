import { readFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import * as z from "zod";
import type { Cluster } from "../cluster/cluster.ts";
import { tokenIn } from "../cluster/identity.ts";

const Strings = z.record(z.string(), z.string());

const Metadata = z.looseObject({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string().default(""),
  resourceVersion: z.string().default(""),
  labels: Strings.default({}),
  annotations: Strings.default({}),
});

const Stored = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: Metadata,
  spec: z.record(z.string(), z.json()).default({}),
  status: z.record(z.string(), z.json()).default({}),
  data: Strings.optional(),
});

/** An object as the API server has it. */
export type Stored = z.infer<typeof Stored>;

/** What an object is called; every object names itself. */
export interface Ref {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name?: string; readonly namespace?: string | undefined };
}

/** What the API server answered to a write. */
export interface Answer {
  readonly object: Stored;
  /** Admission warnings, as kubectl would print them. */
  readonly warnings: readonly string[];
  /** Finds the request in the audit log. */
  readonly auditId: string;
}

/** What a caller may say beside the object. */
export interface CallOptions {
  /** Impersonates this user. */
  readonly as?: string;
  readonly dryRun?: boolean;
}

/** The API server, asked directly: kubectl takes a third of a second for what takes this a few milliseconds. */
export interface Api {
  create(object: Ref, options?: CallOptions): Promise<Answer>;
  read(ref: Ref): Promise<Stored>;
  /** Undefined where there is none. */
  find(ref: Ref): Promise<Stored | undefined>;
  list(apiVersion: string, kind: string, query?: string): Promise<Stored[]>;
  /** A merge patch, as Velero's server writes. */
  patch(ref: Ref, change: object, options?: CallOptions): Promise<Answer>;
  /** A full update. */
  replace(object: Ref, options?: CallOptions): Promise<Answer>;
  remove(ref: Ref, options?: CallOptions): Promise<void>;
}

/** An answer of the API server that is not a success. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const List = z.object({ items: z.array(z.record(z.string(), z.json())) });

/** A client that is an administrator, or whoever it impersonates. */
export async function createApi(cluster: Cluster): Promise<Api> {
  const ca = await readFile(cluster.caFile);
  const agent = new Agent({ keepAlive: true, ca });
  const send = createSender(cluster.server, agent, await tokenIn(cluster.kubeconfig));

  async function write(method: string, path: string, body: unknown, options: CallOptions): Promise<Answer> {
    const query = options.dryRun === true ? "?dryRun=All" : "";
    const { text, warnings, auditId } = await send(method, `${path}${query}`, body, options.as);
    return { object: Stored.parse(JSON.parse(text)), warnings, auditId };
  }
  async function read(ref: Ref): Promise<Stored> {
    return Stored.parse(JSON.parse((await send("GET", objectPath(ref))).text));
  }
  return {
    create: async (object, options = {}) => write("POST", collectionPath(object), object, options),
    read,
    find: async (ref) =>
      read(ref).catch((error: unknown) => {
        if (error instanceof Refused && error.status === 404) return undefined;
        throw error;
      }),
    list: async (apiVersion, kind, query = "") => {
      const { text } = await send("GET", `${collectionPath({ apiVersion, kind, metadata: {} })}?${query}`);
      return List.parse(JSON.parse(text)).items.map((item) => Stored.parse({ apiVersion, kind, ...item }));
    },
    patch: async (ref, change, options = {}) => write("PATCH", objectPath(ref), change, options),
    replace: async (object, options = {}) => write("PUT", objectPath(object), object, options),
    remove: async (ref, { as } = {}) => {
      await send("DELETE", objectPath(ref), undefined, as);
    },
  };
}

interface Reply {
  readonly text: string;
  readonly warnings: string[];
  readonly auditId: string;
}

type Send = (method: string, path: string, body?: unknown, as?: string) => Promise<Reply>;

function createSender(server: string, agent: Agent, token: string): Send {
  return async (method, path, body, as) =>
    new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${token}`,
        accept: "application/json",
        "content-type": method === "PATCH" ? "application/merge-patch+json" : "application/json",
        ...(as === undefined ? {} : { "impersonate-user": as }),
      };
      const sent = request(`${server}${path}`, { method, headers, agent }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("error", reject);
        response.on("end", () => {
          const status = response.statusCode ?? 0;
          if (status >= 300) {
            reject(new Refused(status, `${method} ${path}: ${status}: ${text}`));
            return;
          }
          const [auditId = ""] = [response.headers["audit-id"]].flat();
          resolve({ text, warnings: warningsIn(response.headers["warning"]), auditId });
        });
      });
      sent.on("error", reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
}

/** The texts of `299 - "…"`, several of which Node joins with commas. */
function warningsIn(header: string | undefined): string[] {
  return [...(header ?? "").matchAll(/299 \S+ ("(?:[^"\\]|\\.)*")/g)].map(([, quoted = '""']) =>
    z.string().parse(JSON.parse(quoted)),
  );
}

const CLUSTER_SCOPED: readonly string[] = [
  "Namespace",
  "VolumeSnapshotContent",
  "MutatingWebhookConfiguration",
  "ValidatingWebhookConfiguration",
];

function collectionPath({ apiVersion, kind, metadata: { namespace } }: Ref): string {
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const resource = `${kind.toLowerCase()}s`;
  return namespace === undefined || CLUSTER_SCOPED.includes(kind)
    ? `${group}/${resource}`
    : `${group}/namespaces/${namespace}/${resource}`;
}

function objectPath(ref: Ref): string {
  return `${collectionPath(ref)}/${ref.metadata.name ?? ""}`;
}
