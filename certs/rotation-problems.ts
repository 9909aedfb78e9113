import type { Held } from "./bundle.ts";
import { inspectCertificate, isKeyOf, isTrustedBy, type CertificateFacts } from "./inspect.ts";
import { missingNames } from "./names.ts";
import { isDueForRenewal, isExpired, isNotYetValid } from "./validity.ts";

/** Why something is done, or waited for. */
export type RotationReason =
  | "SecretAbsent"
  | "CaUnreadable"
  | "CaNotRsa"
  | "CaKeyMismatch"
  | "CaExpired"
  | "CaNotYetValid"
  | "CaExpiring"
  | "NothingServable"
  | "NextCaConfirmed"
  | "NextCaUnconfirmed"
  | "ConfirmationLate"
  | "OldCaUnused"
  | "OldCaInUse"
  | "ServingUnreadable"
  | "ServingKeyMismatch"
  | "ServingExpired"
  | "ServingNotYetValid"
  | "ServingUntrusted"
  | "ServingLacksName"
  | "ServingExpiring";

/** A reason, and the sentence for people. */
export interface Problem {
  readonly reason: RotationReason;
  readonly message: string;
}

/** Gives what keeps the CA from signing; undefined when it can. */
export function signerProblem(held: Held, ca: CertificateFacts, now: Date): Problem | undefined {
  // node-forge, which encodes what we issue, knows RSA only.
  if (ca.keyType !== "rsa") {
    const message = `the CA in the Secret has a key of type ${ca.keyType}, and only RSA can be issued from`;
    return { reason: "CaNotRsa", message };
  }
  if (!isKeyOf(held.caCert, held.caKey)) {
    const found =
      held.caKey === undefined ? "has no ca.key" : "holds a ca.key that does not belong to its ca.crt";
    return { reason: "CaKeyMismatch", message: `the Secret ${found}` };
  }
  if (isExpired(ca, now)) {
    return { reason: "CaExpired", message: `the CA expired at ${ca.notAfter.toISOString()}` };
  }
  if (isNotYetValid(ca, now)) {
    const message = `the CA is valid from ${ca.notBefore.toISOString()} only: the clock that issued it was ahead`;
    return { reason: "CaNotYetValid", message };
  }
  return undefined;
}

/** What is wrong with a serving certificate, and the names for the next one. */
export type ServingProblem = Problem & { readonly names: readonly string[] };

interface Facts {
  readonly held: Held;
  readonly serving: CertificateFacts;
  readonly names: readonly string[];
  readonly now: Date;
}

/** A check leaves the names out where they are the wanted ones. */
type Check = (facts: Facts) => (Problem & { readonly names?: readonly string[] }) | undefined;

const CHECKS: readonly Check[] = [keyMismatch, outOfDate, untrusted, lacksName, expiring];

/** Gives why a new serving certificate is to be issued; undefined when the one that is held will do. */
export function servingProblem(held: Held, names: readonly string[], now: Date): ServingProblem | undefined {
  const serving = inspectCertificate(held.cert);
  if (serving === undefined) {
    const found = held.cert === undefined ? "has no tls.crt" : "holds a tls.crt that is not a certificate";
    return { reason: "ServingUnreadable", message: `the Secret ${found}`, names };
  }
  for (const check of CHECKS) {
    const problem = check({ held, serving, names, now });
    if (problem !== undefined) return { names, ...problem };
  }
  return undefined;
}

function keyMismatch({ held }: Facts): Problem | undefined {
  if (isKeyOf(held.cert, held.key)) return undefined;
  const found =
    held.key === undefined ? "has no tls.key" : "holds a tls.key that does not belong to its tls.crt";
  return { reason: "ServingKeyMismatch", message: `the Secret ${found}` };
}

function outOfDate({ serving, now }: Facts): Problem | undefined {
  if (isExpired(serving, now)) {
    const message = `the serving certificate expired at ${serving.notAfter.toISOString()}`;
    return { reason: "ServingExpired", message };
  }
  if (isNotYetValid(serving, now)) {
    const from = serving.notBefore.toISOString();
    const message = `the serving certificate is valid from ${from} only: the clock that issued it was ahead`;
    return { reason: "ServingNotYetValid", message };
  }
  return undefined;
}

/** Any CA of the bundle will do: what an older one signed is served until its own time comes. */
function untrusted({ held, now }: Facts): Problem | undefined {
  if (held.cert !== undefined && isTrustedBy(held.cert, held.caCert, now)) return undefined;
  const message = "no CA in the Secret's ca.crt signed the serving certificate";
  return { reason: "ServingUntrusted", message };
}

/**
 * Names that are no longer wanted stay until the next renewal, and are even issued for again: while an upgrade runs, the
 * old replicas want the old names and the new ones the new, and neither must undo the other's work.
 */
function lacksName({ serving, names }: Facts): ReturnType<Check> {
  const lacking = missingNames(names, serving.names);
  if (lacking.length === 0) return undefined;
  const message = `the serving certificate is for ${serving.names.join(", ")} and not for ${lacking.join(", ")}`;
  return { reason: "ServingLacksName", message, names: [...serving.names, ...lacking] };
}

function expiring({ serving, now }: Facts): Problem | undefined {
  if (!isDueForRenewal(serving, now)) return undefined;
  const expiry = serving.notAfter.toISOString();
  const message = `two thirds of the serving certificate's life have passed; it expires at ${expiry}`;
  return { reason: "ServingExpiring", message };
}
