import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import type { KeyPair } from "./issue.ts";

const generate = promisify(generateKeyPair);

/**
 * Generates an RSA-2048 key pair off the event loop (libuv's thread pool), so that admission goes on meanwhile.
 * 2048 bits are NIST's level until 2030 and verify fastest; node-forge encodes no certificate but RSA's.
 */
export function generateKeys(): Promise<KeyPair> {
  return generate("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
}
