import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import * as z from "zod";
import type { Cluster } from "../cluster/cluster.ts";
import { eventually } from "./eventually.ts";

const Entry = z.object({
  auditID: z.string(),
  verb: z.string(),
  objectRef: z.object({ resource: z.string().optional(), name: z.string().optional() }).optional(),
  annotations: z.record(z.string(), z.string()).default({}),
});

const Request = z.object({
  verb: z.string(),
  user: z.object({ username: z.string() }),
  objectRef: z.object({ resource: z.string().optional(), name: z.string().optional() }).optional(),
});

/** What a user has asked of the API server so far: one `verb resource` for each request that was answered. */
export async function requestsOf(cluster: Cluster, username: string): Promise<string[]> {
  const lines = (await readFile(cluster.auditLog, "utf8")).split("\n").filter((line) => line.endsWith("}"));
  return lines
    .filter((line) => line.includes(username))
    .map((line) => Request.parse(JSON.parse(line)))
    .filter(({ user }) => user.username === username)
    .map(({ verb, objectRef }) => `${verb} ${objectRef?.resource ?? ""}`);
}

const Call = z.object({ configuration: z.string(), webhook: z.string(), mutated: z.boolean() });

/** What the API server's audit log says of one request. */
export interface Audited {
  /** Every annotation that our webhooks gave, by its key after the slash; `code` says why. */
  readonly ours: Readonly<Record<string, string>>;
  /** The mutating webhooks that were called, in order; a reinvoked one is there twice. */
  readonly calls: readonly z.infer<typeof Call>[];
}

/** Reads what was logged of a request; the log is written when the request has been answered. */
export async function auditOf(cluster: Cluster, auditId: string): Promise<Audited> {
  return findEntry(cluster, `request ${auditId}`, (entry) => entry.auditID === auditId);
}

/** Reads what was logged of an object's creation by whatever program. */
export async function auditOfCreation(cluster: Cluster, resource: string, name: string): Promise<Audited> {
  return findEntry(
    cluster,
    `the creation of ${resource} ${name}`,
    ({ verb, objectRef }) => verb === "create" && objectRef?.resource === resource && objectRef.name === name,
  );
}

async function findEntry(
  cluster: Cluster,
  what: string,
  isMeant: (entry: z.infer<typeof Entry>) => boolean,
): Promise<Audited> {
  return eventually(`${what} is in the audit log`, async () => {
    const lines = (await readFile(cluster.auditLog, "utf8")).split("\n").filter((line) => line.endsWith("}"));
    // From the end: what tests look for has just happened, and parsing a whole log takes a while.
    const line = lines.findLast((candidate) => isMeant(Entry.parse(JSON.parse(candidate))));
    assert.ok(line !== undefined);
    return describe(Object.entries(Entry.parse(JSON.parse(line)).annotations));
  });
}

function describe(annotations: readonly (readonly [string, string])[]): Audited {
  return {
    ours: Object.fromEntries(
      annotations
        .map(([key, value]) => [key.split("/"), value] as const)
        .filter(([[domain = ""]]) => domain.endsWith(".snapshot-retainer.io"))
        .map(([[, name = ""], value]) => [name, value]),
    ),
    calls: annotations
      .filter(([key]) => key.startsWith("mutation.webhook.admission.k8s.io/round_"))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, value]) => Call.parse(JSON.parse(value))),
  };
}

/** Fails unless our webhook gave this code for the request. */
export async function assertCode(cluster: Cluster, auditId: string, code: string): Promise<void> {
  assert.equal((await auditOf(cluster, auditId)).ours["code"], code);
}

/** Fails when the request was sent to any webhook. */
export async function assertNotSent(cluster: Cluster, auditId: string): Promise<void> {
  assert.deepEqual((await auditOf(cluster, auditId)).calls, []);
}
