import { randomBytes } from "node:crypto";
import forge from "node-forge";
import { derSerial, issueCa } from "../../certs/issue.ts";
import { generateCaKeys } from "../../certs/keys.ts";

/** A CA that signs for clients. */
export interface ClientAuthority {
  /** PEM. */
  readonly cert: string;
  /** Signs a certificate for this common name, a client's where nothing else is said. */
  issue(
    commonName: string,
    use?: "clientAuth" | "serverAuth",
  ): Promise<{ readonly cert: string; readonly key: string }>;
}

/** Makes one. */
export async function aClientAuthority(now = new Date()): Promise<ClientAuthority> {
  const keys = await generateCaKeys();
  const cert = issueCa({ keys, serial: randomBytes(16), now });
  return {
    cert,
    async issue(commonName, use = "clientAuth") {
      const own = await generateCaKeys();
      const certificate = forge.pki.createCertificate();
      certificate.publicKey = forge.pki.publicKeyFromPem(own.publicKey);
      certificate.serialNumber = derSerial(randomBytes(16));
      certificate.validity.notBefore = new Date(now.getTime() - 60_000);
      certificate.validity.notAfter = new Date(now.getTime() + 3_600_000);
      certificate.setSubject([{ name: "commonName", value: commonName }]);
      certificate.setIssuer(forge.pki.certificateFromPem(cert).subject.attributes);
      certificate.setExtensions([
        { name: "basicConstraints", critical: true, cA: false },
        { name: "extKeyUsage", [use]: true },
      ]);
      certificate.sign(forge.pki.privateKeyFromPem(keys.privateKey), forge.md.sha256.create());
      return { cert: forge.pki.certificateToPem(certificate), key: own.privateKey };
    },
  };
}
