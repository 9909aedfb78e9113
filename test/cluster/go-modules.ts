import { join } from "node:path";

/** One Go module of ours: what is built from it, and by which names its programs are called. */
export interface GoModule {
  readonly name: string;
  readonly directory: string;
  /** Import paths of main packages; each becomes a binary named like its last element. */
  readonly packages: readonly string[];
  /** Further names of a binary that acts as what it is called by. */
  readonly links: Readonly<Record<string, readonly string[]>>;
  readonly flags: readonly string[];
  /** Whether the upstream manifests are kept beside the binaries. */
  readonly withManifests: boolean;
}

/** What is built: the demo needs no Velero binary, only its CRDs. */
export type BinarySet = "demo" | "all";

const GO = join(import.meta.dirname, "go");

const KUBERNETES_VERSION = { major: "1", minor: "36", full: "v1.36.3" };
const VELERO_VERSION = "v1.18.3";

// Without a version linked in, `kubectl version` and helm read v0.0.0-master and refuse charts by kubeVersion.
const KUBERNETES_LINK = [
  `-X k8s.io/component-base/version.gitVersion=${KUBERNETES_VERSION.full}`,
  `-X k8s.io/component-base/version.gitMajor=${KUBERNETES_VERSION.major}`,
  `-X k8s.io/component-base/version.gitMinor=${KUBERNETES_VERSION.minor}`,
  "-X helm.sh/helm/v3/internal/version.version=v3.22.0",
];

// Velero offers no flag for controller-runtime's metrics, which would otherwise listen on every address at 8080.
const VELERO_LINK = [
  `-X github.com/vmware-tanzu/velero/pkg/buildinfo.Version=${VELERO_VERSION}`,
  "-X sigs.k8s.io/controller-runtime/pkg/metrics/server.DefaultBindAddress=0",
];

const SNAPSHOTTER = "github.com/kubernetes-csi/external-snapshotter/v8/cmd";

/** The control plane, its command lines, and everything that takes snapshots. */
export const KUBERNETES: GoModule = {
  name: "kubernetes",
  directory: join(GO, "kubernetes"),
  packages: [
    "./control-plane",
    "./csi-plugin",
    "k8s.io/kubernetes/cmd/kubectl",
    "helm.sh/helm/v3/cmd/helm",
    `${SNAPSHOTTER}/snapshot-controller`,
    `${SNAPSHOTTER}/csi-snapshotter`,
    "github.com/kubernetes-csi/external-provisioner/v6/cmd/csi-provisioner",
  ],
  links: { "control-plane": ["etcd", "kube-apiserver", "kube-controller-manager"] },
  flags: buildFlags(KUBERNETES_LINK),
  withManifests: true,
};

/** Velero as one binary, its object-store plugin and an S3 server to store in. */
export const VELERO: GoModule = {
  name: "velero",
  directory: join(GO, "velero"),
  packages: [
    "github.com/vmware-tanzu/velero/cmd/velero",
    "github.com/vmware-tanzu/velero-plugin-for-aws/velero-plugin-for-aws",
    "./s3-server",
  ],
  links: {},
  flags: buildFlags(VELERO_LINK),
  withManifests: false,
};

// What newcomers wait for is the compiler, not these programs: without debugging information and inlining it has a
// quarter less to do.
function buildFlags(link: readonly string[]): readonly string[] {
  return ["-buildvcs=false", "-gcflags=all=-dwarf=false -l", `-ldflags=-s -w ${link.join(" ")}`];
}
