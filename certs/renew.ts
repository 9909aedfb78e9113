import { issueCa, issueServing, SERIAL_BYTES } from "./issue.ts";
import { generateKeys } from "./keys.ts";
import { bundleOf, type Decision, type Held } from "./rotation.ts";

/** What new certificates are made from. */
export interface RenewalInput {
  readonly held: Held | undefined;
  readonly names: readonly string[];
  readonly now: Date;
  readonly randomBytes: (size: number) => Buffer;
}

interface Ca {
  readonly caCert: string;
  readonly caKey: string;
}

/** Carries a decision out in memory: gives what the Secret shall hold. */
export async function renew(kind: Exclude<Decision["kind"], "nothing">, input: RenewalInput): Promise<Held> {
  const { held, now } = input;
  switch (kind) {
    case "createAll":
      return withServing(await newCa(input), input);
    case "renewCa": {
      const { caCert, caKey } = await newCa(input);
      // Old CAs stay trusted until they expire: what they signed is still being served.
      return { ...held, caCert: caCert + bundleOf(held, now), caKey };
    }
    case "reissueServing":
      return withServing({ caCert: bundleOf(held, now), caKey: held?.caKey ?? "" }, input);
  }
}

async function newCa({ randomBytes, now }: RenewalInput): Promise<Ca> {
  const keys = await generateKeys();
  return { caCert: issueCa({ keys, serial: randomBytes(SERIAL_BYTES), now }), caKey: keys.privateKey };
}

/** The first certificate of the bundle is the CA that signs. */
async function withServing(ca: Ca, { randomBytes, now, names }: RenewalInput): Promise<Held> {
  const keys = await generateKeys();
  const serial = randomBytes(SERIAL_BYTES);
  const cert = issueServing({ keys, serial, now, names, ca: { cert: ca.caCert, key: ca.caKey } });
  return { ...ca, cert, key: keys.privateKey };
}
