import { bundleOf, casOf, nextCaOf, type Ca, type Held } from "./bundle.ts";
import { issueCa, issueServing, SERIAL_BYTES } from "./issue.ts";
import { generateCaKeys, generateServingKeys } from "./keys.ts";
import type { Action } from "./rotation.ts";

/** What new certificates are made from. */
export interface RenewalInput {
  readonly held: Held | undefined;
  /** What this replica serves from its memory. */
  readonly serving: Held | undefined;
  readonly names: readonly string[];
  readonly now: Date;
  readonly randomBytes: (size: number) => Buffer;
}

interface Signer {
  readonly caCert: string;
  readonly caKey: string;
}

/** Carries a decision out in memory: gives what the Secret shall hold. */
export async function renew(action: Action, input: RenewalInput): Promise<Held> {
  const { held = {}, serving = {}, now } = input;
  switch (action.kind) {
    case "createAll":
      return withServing(await newCa(input), input);
    case "restore":
      return { caCert: serving.caCert, cert: serving.cert, key: serving.key };
    case "addCa": {
      const { caCert, caKey } = await newCa(input);
      return { ...held, caCert: bundleOf(held, now) + caCert, nextKey: caKey };
    }
    case "switchCa":
      return withServing(nextFirst(held, now), input);
    case "reissueServing":
      return reissued(held, { ...input, names: action.names });
    case "dropCas":
      return { ...held, caCert: only(action.keep, casOf(held.caCert, now)) };
  }
}

async function newCa({ randomBytes, now }: RenewalInput): Promise<Signer> {
  const keys = await generateCaKeys();
  return { caCert: issueCa({ keys, serial: randomBytes(SERIAL_BYTES), now }), caKey: keys.privateKey };
}

function nextFirst(held: Held, now: Date): Signer {
  const next = nextCaOf(held, now);
  if (next === undefined) throw new Error("the next CA was lost between deciding and acting");
  const others = casOf(held.caCert, now).filter(({ pem }) => pem !== next.pem);
  return { caCert: [next, ...others].map(({ pem }) => pem).join(""), caKey: held.nextKey ?? "" };
}

async function reissued(held: Held, input: RenewalInput): Promise<Held> {
  const signer = { caCert: bundleOf(held, input.now), caKey: held.caKey ?? "" };
  return { ...(await withServing(signer, input)), nextKey: held.nextKey };
}

function only(fingerprints: readonly string[], cas: readonly Ca[]): string {
  return cas
    .filter(({ facts }) => fingerprints.includes(facts.fingerprint))
    .map(({ pem }) => pem)
    .join("");
}

/** The first certificate of the bundle is the CA that signs. */
async function withServing(signer: Signer, { randomBytes, now, names }: RenewalInput): Promise<Held> {
  const keys = await generateServingKeys();
  const serial = randomBytes(SERIAL_BYTES);
  const cert = issueServing({
    keys,
    serial,
    now,
    names,
    ca: { cert: signer.caCert, key: signer.caKey },
  });
  return { ...signer, cert, key: keys.privateKey };
}
