import { createPrivateKey, X509Certificate } from "node:crypto";
import { isExpired, isNotYetValid, type Validity } from "./validity.ts";

/**
 * What a certificate says of itself. Read by node:crypto and not by node-forge: a user's own certificate may be of any
 * kind that TLS knows, and node-forge reads RSA only.
 */
export interface CertificateFacts extends Validity {
  readonly subject: string;
  readonly fingerprint: string;
  readonly names: readonly string[];
  readonly isCa: boolean;
  readonly keyType: string;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Reads the first certificate of a PEM text; undefined when there is none or it is damaged. */
export function inspectCertificate(pem: string | undefined): CertificateFacts | undefined {
  const certificate = parseFirst(pem);
  if (certificate === undefined) return undefined;
  return {
    subject: certificate.subject,
    fingerprint: certificate.fingerprint256,
    notBefore: certificate.validFromDate,
    notAfter: certificate.validToDate,
    names: splitNames(certificate.subjectAltName ?? ""),
    isCa: certificate.ca,
    keyType: certificate.publicKey.asymmetricKeyType ?? "unknown",
  };
}

/** Gives each certificate of a PEM text as a PEM of its own, in order, whether readable or not. */
export function splitCertificates(pem: string | undefined): string[] {
  return (pem?.match(CERTIFICATE) ?? []).map((block) => `${block}\n`);
}

/** Says whether a private key belongs to the first certificate of a PEM text; false when either is damaged. */
export function isKeyOf(certPem: string | undefined, keyPem: string | undefined): boolean {
  const certificate = parseFirst(certPem);
  if (certificate === undefined || keyPem === undefined) return false;
  try {
    return certificate.checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    return false;
  }
}

/**
 * Says whether a client that trusts the bundle accepts the first certificate of a PEM text at this time:
 * one CA of the bundle signed it, and both hold now.
 */
export function isTrustedBy(certPem: string, bundlePem: string | undefined, now: Date): boolean {
  const certificate = parseFirst(certPem);
  if (certificate === undefined || !holdsAt(certificate, now)) return false;
  return splitCertificates(bundlePem)
    .map(parseFirst)
    .some((ca) => ca !== undefined && ca.ca && holdsAt(ca, now) && isSignedBy(certificate, ca));
}

function isSignedBy(certificate: X509Certificate, ca: X509Certificate): boolean {
  return certificate.checkIssued(ca) && certificate.verify(ca.publicKey);
}

function holdsAt(certificate: X509Certificate, now: Date): boolean {
  const validity = { notBefore: certificate.validFromDate, notAfter: certificate.validToDate };
  return !isExpired(validity, now) && !isNotYetValid(validity, now);
}

function parseFirst(pem: string | undefined): X509Certificate | undefined {
  const [block] = splitCertificates(pem);
  if (block === undefined) return undefined;
  try {
    return new X509Certificate(block);
  } catch {
    return undefined;
  }
}

/** node:crypto writes alternative names as `DNS:a.example, IP Address:10.0.0.1`. */
function splitNames(subjectAltName: string): string[] {
  return subjectAltName
    .split(", ")
    .map((entry) => entry.replace(/^(DNS|IP Address):/, ""))
    .filter((name) => name !== "");
}
