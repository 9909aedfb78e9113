import { parse, stringify } from "yaml";
import * as z from "zod";
import { POLICY_KEY } from "../../../src/kube/policy-source.ts";
import { NAMESPACE, POLICY_CONFIGMAP } from "../../e2e/product.ts";
import type { Stage } from "../stage.ts";

/** How many snapshots of a volume the array takes: one more it refuses. */
export const ARRAY_LIMIT = 2;

/** The policy of the demo, as text. */
export const POLICY = `# Keep the newest 2 snapshots of every volume on the storage.
apiVersion: snapshot-retainer.io/v1alpha1
kind: RetentionPolicy
snapshotsToRetain: 2
ceilings:
  drivers:
    # What this storage takes of one volume.
    array.csi.snapshot-retainer.io: ${ARRAY_LIMIT}
`;

const Document = z.looseObject({ apiVersion: z.string(), kind: z.string() });

/** The same as the chart's value `policy`, which goes without apiVersion and kind. */
export function policyValues(): object {
  const { apiVersion: _version, kind: _kind, ...values } = Document.parse(parse(POLICY));
  return values;
}

/** Writes the ConfigMap with this policy into a file and returns the file. */
export async function writeConfigMap(stage: Stage, file: string, policy: string): Promise<string> {
  const metadata = { name: POLICY_CONFIGMAP, namespace: NAMESPACE };
  const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { [POLICY_KEY]: policy } };
  return stage.write(file, stringify(configMap, { lineWidth: 0 }));
}

/** kubectl's arguments to put a file in the place of what Helm installed. */
export function applyArguments(path: string): string[] {
  return ["apply", "--server-side", "--force-conflicts", "-f", path];
}
