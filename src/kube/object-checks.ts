import type { Backup, DataUpload, VolumeSnapshot, VolumeSnapshotContent } from "./objects.ts";

/**
 * Whether a value parsed from JSON has the shape of its view in objects.ts, asked of every request: the view's schema
 * costs several times as much, since it copies what it checks (docs/performance.md). A check takes nothing that the
 * schema refuses; what it does not take is left to the schema, which has the last word and names the place.
 */
export type Check<T> = (value: unknown) => value is T;

/** An object of JSON. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a value is an object, and no list. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a field is absent or text. */
export function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}

/** Whether a value is a map of texts. A key that JavaScript treats apart is left to the schema. */
export function isStringMap(value: unknown): value is Readonly<Record<string, string>> {
  if (!isObject(value)) {
    return false;
  }
  for (const [key, found] of Object.entries(value)) {
    if (typeof found !== "string" || key === "__proto__") {
      return false;
    }
  }
  return true;
}

/** Whether a value has the shape of the view `Backup`. */
export function isBackup(value: unknown): value is Backup {
  if (!isObject(value) || !isMetadata(value["metadata"])) {
    return false;
  }
  const { spec, status } = value;
  return (
    isNullOr(spec, (found) => isNullishBoolean(found["snapshotMoveData"])) &&
    isNullOr(status, (found) => isOptionalText(found["phase"]))
  );
}

/** Whether a value has the shape of the view `VolumeSnapshot`. */
export function isVolumeSnapshot(value: unknown): value is VolumeSnapshot {
  if (!isObject(value) || !isMetadata(value["metadata"]) || !isObject(value["spec"])) {
    return false;
  }
  const { source } = value["spec"];
  return (
    isObject(source) &&
    isOptionalText(source["persistentVolumeClaimName"]) &&
    isOptionalText(source["volumeSnapshotContentName"]) &&
    isNullOr(value["status"], (found) => isOptionalText(found["boundVolumeSnapshotContentName"]))
  );
}

/** Whether a value has the shape of the view `VolumeSnapshotContent`. */
export function isVolumeSnapshotContent(value: unknown): value is VolumeSnapshotContent {
  if (!isObject(value) || !isMetadata(value["metadata"]) || !isObject(value["spec"])) {
    return false;
  }
  const { driver, deletionPolicy, source, volumeSnapshotClassName, volumeSnapshotRef: ref } = value["spec"];
  return (
    areTexts(value["metadata"]["finalizers"]) &&
    typeof driver === "string" &&
    isOptionalText(deletionPolicy) &&
    isObject(source) &&
    areOptionalTexts(source, ["volumeHandle", "snapshotHandle"]) &&
    isNullishText(volumeSnapshotClassName) &&
    isObject(ref) &&
    areOptionalTexts(ref, ["name", "namespace", "uid"]) &&
    isNullOr(value["status"], isContentStatus)
  );
}

function isContentStatus({ snapshotHandle, readyToUse, volumeGroupSnapshotHandle }: JsonObject): boolean {
  return (
    isOptionalText(snapshotHandle) && isNullishBoolean(readyToUse) && isNullishText(volumeGroupSnapshotHandle)
  );
}

/** Whether a value has the shape of the view `DataUpload`. */
export function isDataUpload(value: unknown): value is DataUpload {
  if (!isObject(value) || !isMetadata(value["metadata"]) || !isObject(value["spec"])) {
    return false;
  }
  const { sourcePVC, sourceNamespace, retainSnapshot, datamover, csiSnapshot } = value["spec"];
  return (
    areOwners(value["metadata"]["ownerReferences"]) &&
    typeof sourcePVC === "string" &&
    typeof sourceNamespace === "string" &&
    isNullishBoolean(retainSnapshot) &&
    isOptionalText(datamover) &&
    isNullOr(csiSnapshot, isCsiSnapshot) &&
    isNullOr(value["status"], ({ phase, snapshotID }) => isNullishText(phase) && isNullishText(snapshotID))
  );
}

function isCsiSnapshot(value: JsonObject): boolean {
  return typeof value["volumeSnapshot"] === "string" && areOptionalTexts(value, ["storageClass", "driver"]);
}

function areTexts(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    (Array.isArray(value) && value.every((text: unknown) => typeof text === "string"))
  );
}

function areOwners(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    (Array.isArray(value) && value.every((owner: unknown) => isObject(owner) && isOwner(owner)))
  );
}

function isOwner({ kind, name }: JsonObject): boolean {
  return typeof kind === "string" && typeof name === "string";
}

function isMetadata(value: unknown): value is JsonObject {
  return (
    isObject(value) &&
    areOptionalTexts(value, ["name", "generateName", "namespace", "uid", "resourceVersion"]) &&
    isNullishText(value["creationTimestamp"]) &&
    isNullishText(value["deletionTimestamp"]) &&
    isNullOr(value["labels"], isStringMap) &&
    isNullOr(value["annotations"], isStringMap)
  );
}

/** Whether each of these fields is absent or text. */
export function areOptionalTexts(value: JsonObject, keys: readonly string[]): boolean {
  for (const key of keys) {
    if (!isOptionalText(value[key])) {
      return false;
    }
  }
  return true;
}

function isNullishText(value: unknown): boolean {
  return value === null || isOptionalText(value);
}

function isNullishBoolean(value: unknown): boolean {
  return value === undefined || value === null || typeof value === "boolean";
}

function isNullOr(value: unknown, check: (found: JsonObject) => boolean): boolean {
  return value === undefined || value === null || (isObject(value) && check(value));
}
