import * as z from "zod";
import { ALIAS_LABEL, BACKUP_NAME_LABEL, INHERITED_ANNOTATION, VOLUME_NAME_LABEL } from "../kube/keys.ts";
import { toLabelValue } from "../kube/label-value.ts";
import { isObject, isOptionalText, isStringMap } from "../kube/object-checks.ts";
import type { JsonObject } from "../kube/object-checks.ts";
import { valueOf } from "../kube/objects.ts";
import type { Metadata, StringMap } from "../kube/objects.ts";
import type { Signer } from "./signer.ts";

const Volume = z.object({
  /** Namespace of the PVC; absent where another data mover plugin knows volumes by an id. */
  namespace: z.string().optional(),
  /** Name of the PVC, or the volume's id. */
  name: z.string(),
});

const Stored = z.object({
  driver: z.string(),
  handle: z.string().optional(),
  volumeHandle: z.string().optional(),
});
type Stored = z.infer<typeof Stored>;

/**
 * What a clone inherits from its original. It travels as an annotation, since Velero's exposer copies
 * annotations onto clones and no labels.
 */
export const Inherited = z.object({
  version: z.literal(1),
  /** Kind of the original whose labels these are. */
  kind: z.string(),
  alias: z.string(),
  volumeName: z.string(),
  volume: Volume,
  backup: z.object({ namespace: z.string(), name: z.string() }).optional(),
  /** The storage's identity of the snapshot and of its volume, as far as it was known when this was written. */
  snapshot: Stored.optional(),
  /** All other labels of the original that clones inherit. */
  labels: z.record(z.string(), z.string()),
});
export type Inherited = z.infer<typeof Inherited>;

const Signed = Inherited.extend({ signature: z.string() });

/**
 * Longest annotation that we write. Kubernetes allows 256 KiB for all annotations of an object together;
 * a sixteenth of that holds well over a hundred labels of usual length and leaves room for everybody else's.
 */
const MAX_LENGTH = 16 * 1024;

/** The annotation's text: JSON with a signature over everything else in it. */
export function writeInherited(inherited: Inherited, signer: Signer): string {
  const text = textOf(inherited);
  if (text.length <= MAX_LENGTH) {
    return signed(text, inherited, signer);
  }
  const fitting = fit(inherited, text.length);
  return signed(textOf(fitting), fitting, signer);
}

// One order of keys, and no others: else a second pass, which reads what the first wrote, would write another text. What is
// undefined is no part of JSON.
function textOf({ version, kind, alias, volumeName, volume, backup, snapshot, labels }: Inherited): string {
  return JSON.stringify({
    version,
    kind,
    alias,
    volumeName,
    volume: { namespace: volume.namespace, name: volume.name },
    backup: backup && { namespace: backup.namespace, name: backup.name },
    snapshot: snapshot && {
      driver: snapshot.driver,
      handle: snapshot.handle,
      volumeHandle: snapshot.volumeHandle,
    },
    labels,
  });
}

// The signature at the end of what is written out already: writing it out again would take as long as signing it.
function signed(text: string, document: Inherited, signer: Signer): string {
  return `${text.slice(0, -1)},"signature":${JSON.stringify(signer.sign(canonical(document)))}}`;
}

/** What an annotation says, if we wrote it and nobody changed it since; else undefined. Never throws. */
export function readInherited(metadata: Metadata | undefined, signer: Signer): Inherited | undefined {
  const text = valueOf(metadata?.annotations, INHERITED_ANNOTATION);
  return text === undefined || text.length > 2 * MAX_LENGTH ? undefined : parseInherited(text, signer);
}

// A rule reads a clone's document while it gathers, and again when it decides.
const lastRead = new WeakMap<Signer, { readonly text: string; readonly inherited: Inherited | undefined }>();

/** The same for a text from anywhere. */
export function parseInherited(text: string, signer: Signer): Inherited | undefined {
  const last = lastRead.get(signer);
  if (last?.text === text) {
    return last.inherited;
  }
  const inherited = parse(text, signer);
  lastRead.set(signer, { text, inherited });
  return inherited;
}

function parse(text: string, signer: Signer): Inherited | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const read = isSigned(value) ? value : Signed.safeParse(value).data;
  if (read === undefined) {
    return undefined;
  }
  const inherited = ordered(read);
  return signer.verify(canonical(inherited), read.signature) ? inherited : undefined;
}

/** As in object-checks.ts: what the schema takes; all else is left to the schema. */
function isSigned(value: unknown): value is z.infer<typeof Signed> {
  return (
    isObject(value) &&
    value["version"] === 1 &&
    typeof value["kind"] === "string" &&
    typeof value["alias"] === "string" &&
    typeof value["volumeName"] === "string" &&
    typeof value["signature"] === "string" &&
    isStringMap(value["labels"]) &&
    isObject(value["volume"]) &&
    isVolume(value["volume"]) &&
    isAbsentOr(value["backup"], isBackupName) &&
    isAbsentOr(value["snapshot"], isStored)
  );
}

function isAbsentOr(value: unknown, check: (found: JsonObject) => boolean): boolean {
  return value === undefined || (isObject(value) && check(value));
}

function isVolume({ namespace, name }: JsonObject): boolean {
  return isOptionalText(namespace) && typeof name === "string";
}

function isBackupName({ namespace, name }: JsonObject): boolean {
  return typeof namespace === "string" && typeof name === "string";
}

function isStored({ driver, handle, volumeHandle }: JsonObject): boolean {
  return typeof driver === "string" && isOptionalText(handle) && isOptionalText(volumeHandle);
}

/** The labels that identify a snapshot on any of its objects. */
export function identityLabels(inherited: Inherited): StringMap {
  return { [ALIAS_LABEL]: inherited.alias, [VOLUME_NAME_LABEL]: inherited.volumeName };
}

/** Our own label with the name of the Backup, for objects that must not carry Velero's. */
export function backupLabel(inherited: Inherited): StringMap {
  return inherited.backup === undefined ? {} : { [BACKUP_NAME_LABEL]: toLabelValue(inherited.backup.name) };
}

// One text for one meaning, whatever order a JSON library kept the keys in.
function canonical({
  version,
  kind,
  alias,
  volumeName,
  volume,
  backup,
  snapshot,
  labels,
}: Inherited): string {
  return JSON.stringify([
    version,
    kind,
    alias,
    volumeName,
    [volume.namespace ?? null, volume.name],
    backup === undefined ? null : [backup.namespace, backup.name],
    snapshot === undefined ? null : storageIdentity(snapshot),
    sorted(Object.entries(labels)),
  ]);
}

// Most are in order already.
function sorted(entries: [string, string][]): [string, string][] {
  const inOrder = entries.every(([key], index) => index === 0 || (entries[index - 1]?.[0] ?? "") < key);
  return inOrder ? entries : entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
}

// Documents from before there were volume handles, which stay on objects for years, have the shorter text.
function storageIdentity({ driver, handle, volumeHandle }: NonNullable<Inherited["snapshot"]>): unknown[] {
  const identity = [driver, handle ?? null];
  return volumeHandle === undefined ? identity : [...identity, volumeHandle];
}

// What we know of, without the signature.
function ordered(inherited: Inherited): Inherited {
  const { version, kind, alias, volumeName, volume, backup, snapshot, labels } = inherited;
  const { namespace, name } = volume;
  return {
    version,
    kind,
    alias,
    volumeName,
    volume: namespace === undefined ? { name } : { namespace, name },
    ...(backup && { backup: { namespace: backup.namespace, name: backup.name } }),
    ...(snapshot && { snapshot: stored(snapshot) }),
    labels,
  };
}

function stored({ driver, handle, volumeHandle }: Stored): Stored {
  return {
    driver,
    ...(handle === undefined ? {} : { handle }),
    ...(volumeHandle === undefined ? {} : { volumeHandle }),
  };
}

function fit(inherited: Inherited, tooLong: number): Inherited {
  const labels = Object.entries(inherited.labels);
  let length = tooLong;
  while (length > MAX_LENGTH && labels.length > 0) {
    const [key, value] = labels.pop() ?? ["", ""];
    length -= key.length + value.length + 6;
  }
  return { ...inherited, labels: Object.fromEntries(labels) };
}
