import * as z from "zod";
import { ApiError } from "../kube/rest.ts";
import { messageOf } from "../log.ts";
import { createFindings } from "./finding.ts";
import type { Finding, Setting } from "./finding.ts";

const Version = z.object({ gitVersion: z.string(), major: z.string(), minor: z.string() });

/** The oldest Kubernetes whose webhooks have CEL match conditions for good. */
const OLDEST_MINOR = 30;

const said = createFindings("API server");

/** Whether the API server answers, and is new enough. One failure here is the only finding that matters. */
export async function checkApiServer({ rest, server }: Setting): Promise<Finding[]> {
  try {
    return [judgeVersion(Version.parse(await rest.get("/version")), server)];
  } catch (error) {
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
      const fix = "log in again, or use another context: kubectl config get-contexts";
      return [said.failed(`${server} does not let this user in: ${messageOf(error)}`, fix)];
    }
    const fix = "check the kubeconfig (--kubeconfig), and whether kubectl version answers";
    return [said.failed(`${server} does not answer: ${messageOf(error)}`, fix)];
  }
}

/** Judges what `/version` says. */
export function judgeVersion({ gitVersion, major, minor }: z.infer<typeof Version>, server: string): Finding {
  const isOld = Number(major) === 1 && Number.parseInt(minor, 10) < OLDEST_MINOR;
  return isOld
    ? said.failed(
        `Kubernetes ${gitVersion} has no match conditions of admission webhooks`,
        `Kubernetes 1.${OLDEST_MINOR} or newer is needed`,
      )
    : said.ok(`Kubernetes ${gitVersion} at ${server}`);
}

const Resources = z.object({ resources: z.array(z.object({ name: z.string() })) });

/** What has to be served, and who brings it. */
const NEEDED: readonly {
  readonly path: string;
  readonly resources: readonly string[];
  readonly fix: string;
}[] = [
  {
    path: "snapshot.storage.k8s.io/v1",
    resources: ["volumesnapshots", "volumesnapshotcontents", "volumesnapshotclasses"],
    fix: "install the snapshot CRDs and the snapshot-controller (kubernetes-csi/external-snapshotter, 6.0 or newer)",
  },
  {
    path: "velero.io/v1",
    resources: ["backups", "restores", "deletebackuprequests", "backupstoragelocations"],
    fix: "install Velero: https://velero.io/docs/main/basic-install/",
  },
  {
    path: "velero.io/v2alpha1",
    resources: ["datauploads", "datadownloads"],
    fix: "Velero 1.12 or newer is needed; apply its CRDs: velero install --crds-only --dry-run -o yaml | kubectl apply -f -",
  },
];

const crd = createFindings("CRDs");

/** Whether everything that we read and write is served. */
export async function checkCrds({ rest }: Setting): Promise<Finding[]> {
  return Promise.all(
    NEEDED.map(async ({ path, resources, fix }) => {
      const found = Resources.safeParse(await rest.get(`/apis/${path}`)).data?.resources ?? [];
      const missing = resources.filter((resource) => !found.some(({ name }) => name === resource));
      return missing.length === 0
        ? crd.ok(`${path} is served`)
        : crd.failed(`${path} has no ${missing.join(", ")}`, fix);
    }),
  );
}
