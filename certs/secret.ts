import * as z from "zod";
import type { Rest } from "../src/kube/rest.ts";
import { describeFailure, statusOf } from "./failure.ts";

/** A Secret's data, decoded. */
export type SecretData = Readonly<Record<string, Buffer>>;

/** All that a Secret holds, and of that what is read here. */
const Secret = z.looseObject({ data: z.record(z.string(), z.string()).nullish() });
type Secret = z.infer<typeof Secret>;

/** Which Secret. */
export interface SecretRef {
  readonly rest: Rest;
  readonly namespace: string;
  readonly name: string;
  readonly type: "kubernetes.io/tls" | "Opaque";
}

/** Which Secret, and what to make of it. */
export interface SecretTarget extends SecretRef {
  /**
   * Gives the data that shall be written over the data found (undefined: the Secret does not exist), and undefined when
   * that is right as it is. It is asked again after every write and after every lost race.
   */
  readonly change: (found: SecretData | undefined) => Promise<SecretData | undefined>;
}

/**
 * Ten rounds: a right Secret takes at most three (new CA, new serving certificate, look again), and each lost race means
 * that another replica made progress.
 */
const MAX_ROUNDS = 10;

/**
 * Brings a Secret into the state that `change` wants and gives its data. Several replicas may do so at once: creation and
 * the resourceVersion of an update let one win, and the others adopt what it wrote.
 */
export async function settleSecret(target: SecretTarget): Promise<SecretData> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const secret = await readSecret(target);
    const wanted = await target.change(secret.data);
    if (wanted === undefined) return secret.data ?? {};
    await secret.write(wanted);
  }
  throw new Error(
    `Secret ${title(target)} changed ${String(MAX_ROUNDS)} times while it was being written; is another controller writing it?`,
  );
}

/** A Secret as it was read: its data, undefined where there is none, and how to write over just that. */
export interface ReadSecret {
  readonly data: SecretData | undefined;
  /** Creates or updates it; does nothing where somebody else was faster. */
  write(data: SecretData): Promise<void>;
}

/** Reads a Secret. Reading and writing throw an Error with a remedy when the API server refuses. */
export async function readSecret(ref: SecretRef): Promise<ReadSecret> {
  const found = await read(ref);
  return {
    data: found === undefined ? undefined : decode(found),
    write: async (data) => (found === undefined ? create(ref, data) : replace(ref, found, data)),
  };
}

async function read(target: SecretRef): Promise<Secret | undefined> {
  try {
    const found = await target.rest.get(pathOf(target));
    return found === undefined ? undefined : Secret.parse(found);
  } catch (error) {
    throw explain(target, "read", error);
  }
}

async function create(target: SecretRef, data: SecretData): Promise<void> {
  const { rest, namespace, name, type } = target;
  const metadata = { namespace, name, labels: { "app.kubernetes.io/managed-by": "snapshot-retainer" } };
  try {
    const body = { apiVersion: "v1", kind: "Secret", metadata, type, data: encode(data) };
    await rest.call("POST", collectionOf(target), { body });
  } catch (error) {
    // 409: another replica created it first.
    if (statusOf(error) !== 409) throw explain(target, "create", error);
  }
}

async function replace(target: SecretRef, found: Secret, data: SecretData): Promise<void> {
  // What was found goes back whole: others' keys and labels stay, and its resourceVersion makes the API server refuse
  // the write when somebody else was faster.
  const body = { ...found, data: { ...found.data, ...encode(data) } };
  try {
    await target.rest.call("PUT", pathOf(target), { body });
  } catch (error) {
    const status = statusOf(error);
    // 409: changed since it was read. 404: deleted since.
    if (status !== 409 && status !== 404) throw explain(target, "update", error);
  }
}

function explain(target: SecretRef, verb: "read" | "create" | "update", cause: unknown): Error {
  return new Error(`cannot ${verb} Secret ${title(target)}: ${describeFailure(cause)}; ${remedy(cause)}`, {
    cause,
  });
}

function remedy(cause: unknown): string {
  switch (statusOf(cause)) {
    case 403:
      return "grant the ServiceAccount get, list, watch and update on this Secret and create on Secrets, as the chart's Role does";
    case 404:
      return "the namespace does not exist: create it";
    case 422:
      return "if it is immutable or of another type, delete it and it will be created anew";
    case undefined:
      return "the API server cannot be reached: check the network and its health";
    default:
      return "it will be tried again";
  }
}

function title({ namespace, name }: SecretRef): string {
  return `${namespace}/${name}`;
}

function collectionOf({ namespace }: SecretRef): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`;
}

function pathOf(target: SecretRef): string {
  return `${collectionOf(target)}/${encodeURIComponent(target.name)}`;
}

function decode(secret: Secret): SecretData {
  const entries = Object.entries(secret.data ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, "base64")]));
}

function encode(data: SecretData): Record<string, string> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, value.toString("base64")]));
}
