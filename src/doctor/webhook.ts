import * as z from "zod";
import { createFindings } from "./finding.ts";
import type { Finding, Setting } from "./finding.ts";

const Service = z.object({ namespace: z.string(), name: z.string(), port: z.number().default(443) });
const ClientConfig = z.object({
  url: z.string().optional(),
  service: Service.optional(),
  caBundle: z.string().default(""),
});
const Configuration = z.object({
  webhooks: z
    .array(z.object({ name: z.string(), failurePolicy: z.string().optional(), clientConfig: ClientConfig }))
    .default([]),
});
type Configuration = z.infer<typeof Configuration>;

/** Where the API server calls the webhook, and whom it trusts there. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** The Service that it goes through; undefined for an address outside of the cluster. */
  readonly service: z.infer<typeof Service> | undefined;
  /** PEM; empty where nothing is published. */
  readonly bundle: string;
}

const KINDS = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"] as const;

/** Whether the API server is told to ask us, and where that is. */
export async function checkConfigurations({
  rest,
  name,
}: Setting): Promise<{ readonly target: Target | undefined; readonly findings: readonly Finding[] }> {
  const read = KINDS.map(async (kind) => {
    const path = `/apis/admissionregistration.k8s.io/v1/${kind}/${encodeURIComponent(name)}`;
    return { kind, configuration: Configuration.safeParse(await rest.get(path)).data };
  });
  const found = await Promise.all(read);
  return {
    target: targetOf(found[0]?.configuration),
    findings: found.flatMap(({ kind, configuration }) =>
      judgeConfiguration(`${kind} ${name}`, configuration),
    ),
  };
}

const said = createFindings("configuration");

/** Judges one webhook configuration; undefined where it does not exist. */
export function judgeConfiguration(what: string, configuration: Configuration | undefined): Finding[] {
  if (configuration === undefined || configuration.webhooks.length === 0) {
    const fix =
      "helm upgrade brings it back; somebody may have used the emergency command of docs/reliability.md";
    return [said.failed(`${what} does not exist, so the API server asks nobody`, fix)];
  }
  const bare = configuration.webhooks.filter(({ clientConfig }) => clientConfig.caBundle === "");
  if (bare.length > 0) {
    const fix =
      "a replica publishes it within a minute: kubectl logs of the webhook tells why not; with certs.mode cert-manager look at its cainjector";
    const names = bare.map(({ name }) => name).join(", ");
    return [said.failed(`${what}: no caBundle in ${names}, so the API server trusts no certificate`, fix)];
  }
  const strict = configuration.webhooks.filter(({ failurePolicy }) => failurePolicy === "Fail");
  return strict.length > 0
    ? [
        said.warning(
          `${what}: failurePolicy Fail, so requests are refused while no replica answers`,
          "webhook.failurePolicy: Ignore lets them pass",
        ),
      ]
    : [said.ok(`${what} is there, with a caBundle`)];
}

/** Where the first of a configuration's webhooks is called; all of ours are at one place. */
export function targetOf(configuration: Configuration | undefined): Target | undefined {
  const { url, service, caBundle = "" } = configuration?.webhooks[0]?.clientConfig ?? {};
  const bundle = Buffer.from(caBundle, "base64").toString();
  if (url !== undefined) {
    const { hostname, port } = new URL(url);
    return { host: hostname, port: Number(port === "" ? 443 : port), service: undefined, bundle };
  }
  return service === undefined
    ? undefined
    : { host: `${service.name}.${service.namespace}.svc`, port: service.port, service, bundle };
}

const Slices = z.object({
  items: z.array(
    z.object({
      endpoints: z
        .array(z.object({ conditions: z.object({ ready: z.boolean().nullish() }).nullish() }))
        .nullish(),
    }),
  ),
});

const replicas = createFindings("replicas");

/** Whether the Service leads to a replica. */
export async function checkReplicas({ rest }: Setting, { service }: Target): Promise<Finding[]> {
  if (service === undefined) {
    return [replicas.skipped("the webhook is called by an address, not through a Service")];
  }
  const { namespace, name } = service;
  const query = `labelSelector=${encodeURIComponent(`kubernetes.io/service-name=${name}`)}`;
  const path = `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices?${query}`;
  const slices = Slices.safeParse(await rest.get(path)).data?.items ?? [];
  const endpoints = slices.flatMap((slice) => slice.endpoints ?? []);
  const ready = endpoints.filter(({ conditions }) => conditions?.ready !== false).length;
  return [
    ready > 0
      ? replicas.ok(`${ready} of ${endpoints.length} behind Service ${namespace}/${name} are ready`)
      : replicas.failed(
          `no replica behind Service ${namespace}/${name} is ready`,
          `kubectl --namespace ${namespace} get pods; each says in /readyz on port 8080, and in its log, what it waits for`,
        ),
  ];
}
