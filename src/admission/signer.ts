import { timingSafeEqual } from "node:crypto";
import { createHmacSha256 } from "./hmac.ts";

/** Signs texts with a key of our own, and recognises what it signed. */
export interface Signer {
  /** HMAC-SHA-256 of the text, base64url. */
  sign(text: string): string;
  /** Whether a signature is this key's over this text; compared in constant time. */
  verify(text: string, signature: string): boolean;
}

/** Of 32 bytes as base64url. */
const LENGTH = 43;

/** A signer with this secret key; every replica must have the same one. */
export function createSigner(key: Buffer): Signer {
  const hmac = createHmacSha256(key);
  // A clone's document is verified and then, most often unchanged, signed again.
  let last = { text: "", signature: "" };
  function sign(text: string): string {
    if (last.signature === "" || last.text !== text) {
      last = { text, signature: hmac(text) };
    }
    return last.signature;
  }
  const wanted = Buffer.alloc(LENGTH);
  const found = Buffer.alloc(LENGTH);
  return {
    sign,
    verify(text, signature) {
      if (signature.length !== LENGTH) {
        return false;
      }
      wanted.write(sign(text), "latin1");
      // As UTF-8: no other characters give the bytes of the wanted ones.
      found.write(signature, "utf8");
      return timingSafeEqual(wanted, found);
    },
  };
}
