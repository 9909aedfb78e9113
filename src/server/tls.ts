import { createSecureContext } from "node:tls";
import type { DetailedPeerCertificate, PeerCertificate, SecureContextOptions } from "node:tls";
import type { ClientCa } from "../../certs/client-ca.ts";
import type { ServingPair } from "../../certs/source.ts";

/** The oldest version of TLS that is taken. */
export type TlsVersion = "TLSv1.2" | "TLSv1.3";

/** Which TLS is spoken, and with whom. */
export interface TlsSettings {
  readonly minVersion: TlsVersion;
  /** As OpenSSL writes them, those of TLS 1.3 included. */
  readonly ciphers: string;
  /** Whose certificate a client needs; left out, it needs none. */
  readonly clients?: ClientCheck;
}

/** Which clients are let in. */
export interface ClientCheck {
  readonly ca: ClientCa;
  /** Common names, DNS or IP names of their certificates; with none, every certificate of the CA will do. */
  readonly names: readonly string[];
}

/**
 * Forward secrecy and authenticated encryption alone, which every API server since Kubernetes 1.12 speaks. Node's own
 * list has CBC and plain RSA in it.
 */
export const DEFAULT_CIPHERS = [
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "TLS_AES_128_GCM_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

/** What holds where nothing is said. */
export const DEFAULT_TLS: TlsSettings = { minVersion: "TLSv1.2", ciphers: DEFAULT_CIPHERS };

/** What a server's secure context is made of, now. */
export function contextOf(
  pair: ServingPair,
  { minVersion, ciphers, clients }: TlsSettings,
): SecureContextOptions {
  const { cert, key } = pair;
  return { cert, key, minVersion, ciphers, ...(clients && { ca: clients.ca.current() }) };
}

/** Why a list of ciphers cannot be used; undefined when it can. */
export function cipherProblem(ciphers: string): string | undefined {
  try {
    createSecureContext({ ciphers });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Whether a certificate, which its CA has been checked of, has one of the names. */
export function isNamed(
  { subject, subjectaltname = "" }: Partial<PeerCertificate | DetailedPeerCertificate>,
  names: readonly string[],
): boolean {
  if (names.length === 0) {
    return true;
  }
  const commonNames = [subject?.CN ?? []].flat();
  const alternatives = subjectaltname.split(", ").map((entry) => entry.replace(/^(DNS|IP Address):/, ""));
  return [...commonNames, ...alternatives].some((name) => names.includes(name));
}

/** Whether a server with an ECDSA key can be reached with a list of ciphers: those of TLS 1.3 take a key of any kind. */
export function takesEcdsa(ciphers: string): boolean {
  return ciphers
    .split(/[:, ]+/)
    .filter((name) => !/^[!-]/.test(name))
    .some((name) => name.startsWith("TLS_") || name.includes("ECDSA") || !isOneCipher(name));
}

/** `ECDHE-RSA-AES128-GCM-SHA256`, and not a word for many, as `HIGH`. */
function isOneCipher(name: string): boolean {
  return /^[A-Z0-9]+(-[A-Z0-9]+)+$/.test(name);
}
