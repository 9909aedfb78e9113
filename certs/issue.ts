import { createHash, createPublicKey, sign } from "node:crypto";
import forge from "node-forge";
import { altNames } from "./names.ts";
import { CA_LIFE_MS, SERVING_LIFE_MS, validityFrom, type Validity } from "./validity.ts";

// node-forge has these, but its types leave them out. The first is what lets keys stay in node:crypto.
declare module "node-forge" {
  namespace pki {
    function getTBSCertificate(certificate: pki.Certificate): asn1.Asn1;
  }
  namespace asn1 {
    function fromDer(bytes: string, options: { readonly decodeBitStrings: boolean }): Asn1;
  }
}

/** A key pair in PEM (SPKI and PKCS#8): RSA for a CA, of any kind that TLS knows for a server. */
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
  const publicKey = forge.pki.publicKeyFromPem(keys.publicKey);
  const certificate = draft(publicKey, serialNumber, validityFrom(now, CA_LIFE_MS));
  certificate.setSubject(subject);
  certificate.setIssuer(subject);
  certificate.setExtensions([
    { name: "basicConstraints", critical: true, cA: true, pathLenConstraint: 0 },
    { name: "keyUsage", critical: true, keyCertSign: true, cRLSign: true },
    { name: "subjectKeyIdentifier" },
    { name: "authorityKeyIdentifier", keyIdentifier: keyIdentifier(certificate) },
  ]);
  return seal(certificate, keys);
}

/** Issues a certificate that a TLS server may serve under each of the names, signed by the CA. */
export function issueServing({ keys, serial, now, names, ca }: ServingRequest): string {
  const issuer = forge.pki.certificateFromPem(ca.cert);
  const key = publicKeyInfo(keys.publicKey);
  // The issuer's key only holds the place of a key that node-forge may not know.
  const certificate = draft(issuer.publicKey, derSerial(serial), servingValidity(issuer, now));
  certificate.setSubject([{ name: "commonName", value: "snapshot-retainer" }]);
  certificate.setIssuer(issuer.subject.attributes);
  certificate.setExtensions([
    { name: "basicConstraints", critical: true, cA: false },
    { name: "keyUsage", critical: true, digitalSignature: true },
    { name: "extKeyUsage", serverAuth: true },
    { name: "subjectAltName", altNames: altNames(names) },
    { name: "subjectKeyIdentifier", value: octets(key.identifier) },
    { name: "authorityKeyIdentifier", keyIdentifier: keyIdentifier(issuer) },
  ]);
  return seal(certificate, { privateKey: ca.key, subjectPublicKeyInfo: key.info });
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

function draft(
  publicKey: forge.pki.PublicKey,
  serialNumber: string,
  validity: Validity,
): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKey;
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

/** A public key as a certificate holds it, and its identifier: the SHA-1 of its bits, by RFC 5280, 4.2.1.2 (1). */
interface PublicKeyInfo {
  readonly info: forge.asn1.Asn1;
  readonly identifier: Buffer;
}

/** Read as it stands: node-forge has no class for any key but RSA's. */
function publicKeyInfo(pem: string): PublicKeyInfo {
  const der = createPublicKey(pem).export({ type: "spki", format: "der" });
  // An elliptic curve's point may look like DER by chance.
  const info = forge.asn1.fromDer(der.toString("latin1"), { decodeBitStrings: false });
  const [, bits] = info.value;
  if (typeof bits !== "object" || typeof bits.value !== "string")
    throw new Error("the public key has no bits");
  // The first byte counts the bits that are not used.
  const identifier = createHash("sha1").update(bits.value.slice(1), "latin1").digest();
  return { info, identifier };
}

function octets(bytes: Buffer): string {
  const { create, toDer, Class, Type } = forge.asn1;
  return toDer(create(Class.UNIVERSAL, Type.OCTETSTRING, false, bytes.toString("latin1"))).getBytes();
}

/** Where what is signed has the key: after version, serial, algorithm, issuer, validity and subject (RFC 5280, 4.1). */
const SUBJECT_PUBLIC_KEY_INFO = 6;

/** Who signs, and the key that is certified, where it is not the certificate's own. */
interface Sealing {
  readonly privateKey: string;
  readonly subjectPublicKeyInfo?: forge.asn1.Asn1;
}

/**
 * Signs with node:crypto, so that the private key never enters node-forge: OpenSSL's RSA is guarded against timing,
 * quick enough for the event loop, and covered by a FIPS build of Node.
 */
function seal(certificate: forge.pki.Certificate, { privateKey, subjectPublicKeyInfo }: Sealing): string {
  certificate.signatureOid = ALGORITHM;
  certificate.siginfo.algorithmOid = ALGORITHM;
  const tbs = forge.pki.getTBSCertificate(certificate);
  if (subjectPublicKeyInfo !== undefined) {
    // Else it would certify the issuer's key, which held the place.
    if (typeof tbs.value === "string") throw new Error("what is to be signed has no place for a key");
    tbs.value[SUBJECT_PUBLIC_KEY_INFO] = subjectPublicKeyInfo;
  }
  certificate.tbsCertificate = tbs;
  const bytes = Buffer.from(forge.asn1.toDer(tbs).getBytes(), "binary");
  certificate.signature = sign("sha256", bytes, privateKey).toString("binary");
  return forge.pki.certificateToPem(certificate).replaceAll("\r\n", "\n");
}
