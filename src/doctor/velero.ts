import * as z from "zod";
import { createFindings } from "./finding.ts";
import type { Finding, Setting } from "./finding.ts";

const Container = z.object({
  image: z.string(),
  args: z.array(z.string()).default([]),
  command: z.array(z.string()).default([]),
});
const Workload = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({ template: z.object({ spec: z.object({ containers: z.array(Container) }) }) }),
  status: z
    .object({
      readyReplicas: z.number().default(0),
      desiredNumberScheduled: z.number().default(0),
      numberReady: z.number().default(0),
    })
    .optional(),
});
type Workload = z.infer<typeof Workload>;

const Location = z.object({
  metadata: z.object({ name: z.string() }),
  status: z.object({ phase: z.string().default(""), message: z.string().default("") }).optional(),
});
type Location = z.infer<typeof Location>;

/** What one of Velero's namespaces holds. */
export interface VeleroFacts {
  readonly namespace: string;
  readonly deployments: readonly Workload[];
  readonly daemonSets: readonly Workload[];
  readonly locations: readonly Location[];
}

/** Whether Velero is where the policy says, of a version that moves data, and set up for that. */
export async function checkVelero({ rest }: Setting, namespaces: readonly string[]): Promise<Finding[]> {
  async function list<T>(path: string, item: z.ZodType<T>): Promise<T[]> {
    const items = z.object({ items: z.array(z.unknown()) }).safeParse(await rest.get(path)).data?.items ?? [];
    return items.map((found) => item.safeParse(found).data).filter((found) => found !== undefined);
  }
  const found = await Promise.all(
    namespaces.map(async (namespace) => {
      const path = encodeURIComponent(namespace);
      const [deployments, daemonSets, locations] = await Promise.all([
        list(`/apis/apps/v1/namespaces/${path}/deployments`, Workload),
        list(`/apis/apps/v1/namespaces/${path}/daemonsets`, Workload),
        list(`/apis/velero.io/v1/namespaces/${path}/backupstoragelocations`, Location),
      ]);
      return judgeVelero({ namespace, deployments, daemonSets, locations });
    }),
  );
  return found.flat();
}

const said = createFindings("Velero");

/** Judges one of Velero's namespaces. */
export function judgeVelero({ namespace, deployments, daemonSets, locations }: VeleroFacts): Finding[] {
  const server = deployments.find(isVelero("server"));
  if (server === undefined) {
    const fix = "set policy.velero.namespaces to where Velero runs: kubectl get deployments -A | grep velero";
    return [said.failed(`no Velero server in namespace ${namespace}`, fix)];
  }
  const agent = daemonSets.find(isVelero("node-agent"));
  return [
    judgeServer(namespace, server),
    judgeAgent(namespace, agent),
    ...judgeLocations(namespace, locations),
  ];
}

/** Velero's own installer and its Helm chart name the command in `args`, the operators in `command`. */
function isVelero(command: string): (workload: Workload) => boolean {
  return ({ spec }) =>
    spec.template.spec.containers.some((container) =>
      [...container.command, ...container.args].slice(0, 3).includes(command),
    );
}

/** The releases that were read and tried: see the README's table. */
const OLDEST = 12;
const NEWEST = 18;
/** From this one on, CSI is part of Velero and needs no feature flag. */
const CSI_BUILT_IN = 14;

function judgeServer(namespace: string, { spec }: Workload): Finding {
  const [{ image, args } = { image: "", args: [] }] = spec.template.spec.containers;
  const minor = minorOf(image);
  if (minor === undefined) {
    const fix = `compare it with the README's table of compatibility: 1.${OLDEST} to 1.${NEWEST}`;
    return said.warning(`Velero in ${namespace} runs ${image}, which does not tell its version`, fix);
  }
  const what = `Velero 1.${minor} in ${namespace}`;
  if (minor < OLDEST) {
    return said.failed(`${what} has no CSI data mover`, `Velero 1.${OLDEST} or newer is needed`);
  }
  if (minor < CSI_BUILT_IN && !args.some((arg) => /^--features=.*EnableCSI/.test(arg))) {
    const fix = "start Velero's server and node-agent with --features=EnableCSI, and with the CSI plugin";
    return said.failed(`${what} takes no CSI snapshots`, fix);
  }
  return minor > NEWEST
    ? said.warning(`${what} is newer than what was tried`, "try a backup and a restore")
    : said.ok(what);
}

/** The minor version by an image's tag: `velero/velero:v1.18.3`. */
function minorOf(image: string): number | undefined {
  const [, minor] = /:v?1\.(\d+)(?:[.-]|$)/.exec(image) ?? [];
  return minor === undefined ? undefined : Number(minor);
}

function judgeAgent(namespace: string, agent: Workload | undefined): Finding {
  if (agent === undefined) {
    const fix = "install it: velero install --use-node-agent, or deployNodeAgent: true of its chart";
    return said.failed(`no node-agent in ${namespace}, so no data is moved`, fix);
  }
  const { desiredNumberScheduled = 0, numberReady = 0 } = agent.status ?? {};
  return numberReady < desiredNumberScheduled
    ? said.warning(
        `${numberReady} of ${desiredNumberScheduled} node-agents of ${namespace} are ready`,
        `kubectl --namespace ${namespace} describe daemonset ${agent.metadata.name}`,
      )
    : said.ok(`node-agent in ${namespace}`);
}

function judgeLocations(namespace: string, locations: readonly Location[]): Finding[] {
  if (locations.length === 0) {
    const fix = "velero backup-location create";
    return [said.failed(`no BackupStorageLocation in ${namespace}`, fix)];
  }
  return locations
    .filter(({ status }) => status?.phase !== "Available")
    .map(({ metadata: { name }, status }) => {
      const { phase = "", message = "" } = status ?? {};
      const state = [phase === "" ? "not Available yet" : phase, message].filter((part) => part !== "");
      const fix = `velero backup-location get ${name}; while it is away, no snapshot goes because its Backup is gone`;
      return said.warning(`BackupStorageLocation ${namespace}/${name} is ${state.join(": ")}`, fix);
    });
}
