import { sign } from "node:crypto";
import forge from "node-forge";
import { altNames } from "./names.ts";
import { CA_LIFE_MS, SERVING_LIFE_MS, validityFrom, type Validity } from "./validity.ts";

// node-forge exports this function, but its types leave it out. It is what lets the private key stay in node:crypto.
declare module "node-forge" {
  namespace pki {
    function getTBSCertificate(certificate: pki.Certificate): asn1.Asn1;
  }
}

/** An RSA key pair in PEM (SPKI and PKCS#8). */
export interface KeyPair {
  readonly publicKey: string;
  readonly privateKey: string;
}

/** What a CA certificate is made of. */
export interface CaRequest {
  readonly keys: KeyPair;
  readonly serial: Buffer;
  readonly now: Date;
}

/** What a serving certificate is made of. */
export interface ServingRequest extends CaRequest {
  readonly names: readonly string[];
  readonly ca: { readonly cert: string; readonly key: string };
}

/** Sixteen bytes, the 128 random bits of a serial: no two replicas ever issue the same (issuer, serial). */
export const SERIAL_BYTES = 16;

const ALGORITHM = forge.pki.oids["sha256WithRSAEncryption"] ?? "1.2.840.113549.1.1.11";

/**
 * Issues a self-signed CA certificate that may sign serving certificates and no further CA.
 * Its subject carries its serial: verifiers find an issuer by name, and a bundle holds two of our CAs during a renewal.
 */
export function issueCa({ keys, serial, now }: CaRequest): string {
  const serialNumber = derSerial(serial);
  const subject = [{ name: "commonName", value: `snapshot-retainer CA ${serialNumber.slice(-16)}` }];
  const certificate = draft(keys.publicKey, serialNumber, validityFrom(now, CA_LIFE_MS));
  certificate.setSubject(subject);
  certificate.setIssuer(subject);
  certificate.setExtensions([
    { name: "basicConstraints", critical: true, cA: true, pathLenConstraint: 0 },
    { name: "keyUsage", critical: true, keyCertSign: true, cRLSign: true },
    { name: "subjectKeyIdentifier" },
    { name: "authorityKeyIdentifier", keyIdentifier: keyIdentifier(certificate) },
  ]);
  return seal(certificate, keys.privateKey);
}

/** Issues a certificate that a TLS server may serve under each of the names, signed by the CA. */
export function issueServing({ keys, serial, now, names, ca }: ServingRequest): string {
  const issuer = forge.pki.certificateFromPem(ca.cert);
  const certificate = draft(keys.publicKey, derSerial(serial), servingValidity(issuer, now));
  certificate.setSubject([{ name: "commonName", value: "snapshot-retainer" }]);
  certificate.setIssuer(issuer.subject.attributes);
  certificate.setExtensions([
    { name: "basicConstraints", critical: true, cA: false },
    { name: "keyUsage", critical: true, digitalSignature: true, keyEncipherment: true },
    { name: "extKeyUsage", serverAuth: true },
    { name: "subjectAltName", altNames: altNames(names) },
    { name: "subjectKeyIdentifier" },
    { name: "authorityKeyIdentifier", keyIdentifier: keyIdentifier(issuer) },
  ]);
  return seal(certificate, ca.key);
}

/**
 * Writes bytes as the hexadecimal content of a positive DER integer: no leading zero byte but the one that keeps the
 * sign bit clear. OpenSSL and Go refuse padded and negative serials.
 */
export function derSerial(bytes: Buffer): string {
  const digits = bytes.toString("hex").replace(/^(00)+/, "");
  if (digits === "") return "01";
  return Number.parseInt(digits.slice(0, 2), 16) >= 0x80 ? `00${digits}` : digits;
}

function draft(publicKey: string, serialNumber: string, validity: Validity): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKey);
  certificate.serialNumber = serialNumber;
  certificate.validity = { notBefore: validity.notBefore, notAfter: validity.notAfter };
  return certificate;
}

/** A certificate that outlived its CA would look valid and be refused: it ends with its CA at the latest. */
function servingValidity(issuer: forge.pki.Certificate, now: Date): Validity {
  const wanted = validityFrom(now, SERVING_LIFE_MS);
  const end = issuer.validity.notAfter;
  return end.getTime() < wanted.notAfter.getTime() ? { ...wanted, notAfter: end } : wanted;
}

function keyIdentifier(certificate: forge.pki.Certificate): string {
  return certificate.generateSubjectKeyIdentifier().getBytes();
}

/**
 * Signs with node:crypto, so that the private key never enters node-forge: OpenSSL's RSA is guarded against timing,
 * quick enough for the event loop, and covered by a FIPS build of Node.
 */
function seal(certificate: forge.pki.Certificate, privateKey: string): string {
  certificate.signatureOid = ALGORITHM;
  certificate.siginfo.algorithmOid = ALGORITHM;
  const tbs = forge.pki.getTBSCertificate(certificate);
  certificate.tbsCertificate = tbs;
  const bytes = Buffer.from(forge.asn1.toDer(tbs).getBytes(), "binary");
  certificate.signature = sign("sha256", bytes, privateKey).toString("binary");
  return forge.pki.certificateToPem(certificate).replaceAll("\r\n", "\n");
}
