import { isIP } from "node:net";

/** RFC 1123 labels joined by dots, the first of which may be a wildcard. */
const DNS_NAME = /^(\*\.)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;

/** A DNS name may be 253 characters long (RFC 1035: 255 octets on the wire, less the two that length and root take). */
const MAX_DNS_NAME = 253;

/** A subject alternative name as node-forge wants it: type 2 is a DNS name, type 7 an IP address. */
export type AltName =
  { readonly type: 2; readonly value: string } | { readonly type: 7; readonly ip: string };

/**
 * Gives the one spelling of a name by which two are compared: lower case, IPv6 as RFC 5952 shortens it, which is what
 * the URL parser writes.
 */
function canonicalName(name: string): string {
  return isIP(name) === 6 && !name.includes("%")
    ? new URL(`http://[${name}]`).hostname.slice(1, -1)
    : name.toLowerCase();
}

/** Gives those of the wanted names that are not among those found, in whatever spelling. */
export function missingNames(wanted: readonly string[], found: readonly string[]): string[] {
  const there = new Set(found.map(canonicalName));
  return wanted.filter((name) => !there.has(canonicalName(name)));
}

/** Turns names into subject alternative names, each once; throws for a name no certificate can carry. */
export function altNames(names: readonly string[]): AltName[] {
  const unique = new Set(names.map(canonicalName));
  if (unique.size === 0) {
    throw new Error("a serving certificate needs at least one DNS name or IP address, and none was given");
  }
  return [...unique].map(altName);
}

function altName(name: string): AltName {
  // An IPv6 zone (fe80::1%eth0) means something on one node only and has no place in a certificate.
  if (isIP(name) !== 0 && !name.includes("%")) return { type: 7, ip: name };
  if (name.length > MAX_DNS_NAME || !DNS_NAME.test(name)) {
    throw new Error(
      `"${name}" is neither a DNS name nor an IP address; a certificate cannot be issued for it`,
    );
  }
  return { type: 2, value: name };
}
