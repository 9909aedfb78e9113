import { createReadStream } from "node:fs";
import { appendFile, readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import * as z from "zod";

/** Names the file that a whole run of the tests collects calls in; nothing is collected where it is not set. */
export const CALLS_FILE = "SNAPSHOT_RETAINER_CALLS_FILE";

/** Whose calls are collected: every ServiceAccount of the namespace that the tests install the chart into. */
const ACCOUNTS = "system:serviceaccount:snapshot-retainer:";

/** One kind of call, as RBAC looks at it. */
export const Call = z.strictObject({
  /** The ServiceAccount's name. */
  account: z.string(),
  verb: z.string(),
  /** "" is the core group. */
  group: z.string(),
  /** With its subresource, as in `pods/status`; a path where it is no resource. */
  resource: z.string(),
  namespace: z.string(),
  /** Of the resources that roles grant by name; "" of others, and where a call names no object. */
  name: z.string(),
});
export type Call = z.infer<typeof Call>;

const Entry = z.object({
  verb: z.string(),
  requestURI: z.string(),
  user: z.object({ username: z.string() }),
  objectRef: z
    .object({
      apiGroup: z.string().default(""),
      resource: z.string().default(""),
      subresource: z.string().optional(),
      namespace: z.string().default(""),
      name: z.string().default(""),
    })
    .optional(),
  responseStatus: z.object({ code: z.number() }).optional(),
});

/** Appends what a cluster's audit log says of our programs' calls to the run's file, each kind of call once. */
export async function recordCalls(auditLog: string, file = process.env[CALLS_FILE]): Promise<void> {
  if (file === undefined) return;
  const lines = new Set<string>();
  for (const log of await logsOf(auditLog)) {
    for await (const call of callsIn(log)) lines.add(JSON.stringify(call));
  }
  await appendFile(file, [...lines].map((line) => `${line}\n`).join(""));
}

async function* callsIn(log: string): AsyncGenerator<Call> {
  for await (const line of createInterface({ input: createReadStream(log) })) {
    // A process that is killed may leave half a line.
    if (line.includes(ACCOUNTS) && line.endsWith("}")) yield* callsOf(JSON.parse(line));
  }
}

/** The calls that a run has collected, each once. */
export async function readCalls(file: string): Promise<Call[]> {
  const lines = new Set((await readFile(file, "utf8")).split("\n").filter((line) => line !== ""));
  return [...lines].map((line) => Call.parse(JSON.parse(line)));
}

/** What an entry of an audit log asks RBAC for; nothing where it is not one of our accounts. */
export function callsOf(value: unknown): Call[] {
  const { verb, requestURI, user, objectRef, responseStatus } = Entry.parse(value);
  if (!user.username.startsWith(ACCOUNTS)) return [];
  const account = user.username.slice(ACCOUNTS.length);
  if (objectRef === undefined) {
    return [{ account, verb, group: "", resource: requestURI.split("?")[0] ?? "", namespace: "", name: "" }];
  }
  const { apiGroup: group, subresource, namespace } = objectRef;
  const resource = [objectRef.resource, ...(subresource === undefined ? [] : [subresource])].join("/");
  // The log takes a new object's name from its body; RBAC is not told of it.
  const name = verb === "create" || !NAMED.includes(resource) ? "" : objectRef.name;
  const call = { account, verb, group, resource, namespace, name };
  // An apply that makes the object needs the right to create it, too, and that with its name.
  const makes = verb === "patch" && responseStatus?.code === 201;
  return makes ? [call, { ...call, verb: "create" }] : [call];
}

/** What roles grant by name; a name of anything else would make a line of each object. */
const NAMED = ["configmaps", "secrets", "mutatingwebhookconfigurations", "validatingwebhookconfigurations"];

/** The log and what was rotated out of it, which lie beside each other. */
async function logsOf(auditLog: string): Promise<string[]> {
  const directory = dirname(auditLog);
  const names = await readdir(directory).catch(() => []);
  return names.filter((name) => /^audit.*\.log$/.test(name)).map((name) => join(directory, name));
}
