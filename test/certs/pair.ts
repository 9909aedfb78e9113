import { randomBytes } from "node:crypto";
import { issueCa, issueServing, type KeyPair } from "../../certs/issue.ts";
import { generateCaKeys, generateServingKeys } from "../../certs/keys.ts";
import type { Held } from "../../certs/bundle.ts";

/** Keys are made once for a test file: making them is what takes the time, and no test depends on their being new. */
export interface TestKeys {
  readonly ca: KeyPair;
  readonly otherCa: KeyPair;
  readonly serving: KeyPair;
}

/** Makes the keys of a test file. */
export async function someKeys(): Promise<TestKeys> {
  const [ca, otherCa, serving] = await Promise.all([
    generateCaKeys(),
    generateCaKeys(),
    generateServingKeys(),
  ]);
  return { ca, otherCa, serving };
}

/** Issues a CA certificate at a time. */
export function aCa(keys: KeyPair, now: Date): string {
  return issueCa({ keys, serial: randomBytes(16), now });
}

/** Issues all that a Secret holds at a time. */
export function aHeld(
  keys: TestKeys,
  { names, now }: { names: readonly string[]; now: Date },
): Omit<Required<Held>, "nextKey"> {
  const caCert = aCa(keys.ca, now);
  const ca = { cert: caCert, key: keys.ca.privateKey };
  const cert = issueServing({ keys: keys.serving, serial: randomBytes(16), now, names, ca });
  return { caCert, caKey: keys.ca.privateKey, cert, key: keys.serving.privateKey };
}
