import { createHash } from "node:crypto";

/** Kubernetes' limit of a label value. */
const MAX_LENGTH = 63;

/**
 * A name as a label value, shortened the way Velero's `label.GetValidName` does: up to 63 characters
 * unchanged, else the first 57 and the first 6 hex digits of the name's SHA-256 (velero pkg/label/label.go).
 */
export function toLabelValue(name: string): string {
  if (name.length <= MAX_LENGTH) {
    return name;
  }
  const digest = createHash("sha256").update(name).digest("hex");
  return name.slice(0, MAX_LENGTH - 6) + digest.slice(0, 6);
}

/**
 * Any text as a valid label value: like `toLabelValue` where its characters allow, else with each other character
 * as "-" and six hex digits of the text's SHA-256 at the end, so that different texts stay different.
 */
export function toSafeLabelValue(text: string): string {
  const short = toLabelValue(text);
  if (isLabelValue(short)) {
    return short;
  }
  const digest = createHash("sha256").update(text).digest("hex").slice(0, 6);
  const readable = text.replaceAll(/[^A-Za-z0-9_.-]/g, "-").replace(/^[^A-Za-z0-9]+/, "");
  return `${readable.slice(0, MAX_LENGTH - 7)}-${digest}`.replace(/^-/, "");
}

/** Whether a text may stand as a label value: at most 63 of [A-Za-z0-9_.-], alphanumeric at both ends. */
export function isLabelValue(text: string): boolean {
  return text.length <= MAX_LENGTH && /^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$/.test(text);
}
