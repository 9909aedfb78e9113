import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import type { KeyPair } from "./issue.ts";

const generate = promisify(generateKeyPair);

/**
 * Generates a CA's key pair off the event loop (libuv's thread pool), so that admission goes on meanwhile: RSA-2048, NIST's
 * level until 2030, which verifies fastest; node-forge reads no issuer of another kind.
 */
export function generateCaKeys(): Promise<KeyPair> {
  return generate("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
}

/**
 * Generates a server's key pair, likewise: ECDSA P-256, which every client of Kubernetes takes. Each handshake has the server
 * sign once, and the API server makes one for most requests where many come at once (docs/performance.md).
 */
export function generateServingKeys(): Promise<KeyPair> {
  return generate("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
}
