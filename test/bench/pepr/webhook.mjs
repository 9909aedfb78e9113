// Pepr 1.1.4's controller, with a capability that gives the answers of Snapshot Retainer's webhook: `webhook.mjs PORT`. It is copied
// beside Pepr's own packages before it is run, and needs an API server for Pepr's store.
import { Capability, PeprModule, RegisterKind, a } from "pepr";

const LIMIT = "backup.velero.io/data-mover-snapshot-to-retain";
const INHERITED = "snapshot-retainer.io/inherited";

class VolumeSnapshotContent extends a.GenericKind {}
RegisterKind(VolumeSnapshotContent, {
  group: "snapshot.storage.k8s.io",
  version: "v1",
  kind: "VolumeSnapshotContent",
});
class Backup extends a.GenericKind {}
RegisterKind(Backup, { group: "velero.io", version: "v1", kind: "Backup" });

const capability = new Capability({ name: "retain", description: "Labels snapshots, limits Backups" });

capability
  .When(Backup)
  .IsCreated()
  .Mutate((backup) => backup.SetAnnotation(LIMIT, "3"));

capability
  .When(VolumeSnapshotContent)
  .IsCreated()
  .Mutate((content) => {
    const { spec } = content.Raw;
    const { labels, signature, ...identity } = JSON.parse(content.Raw.metadata.annotations[INHERITED]);
    const all = {
      ...labels,
      "velero.io/snapshot-alias-name": identity.alias,
      "velero.io/snapshot-volume-name": identity.volumeName,
      "snapshot-retainer.io/backup-name": identity.backup.name,
    };
    for (const [key, value] of Object.entries(all)) content.SetLabel(key, value);
    const snapshot = { driver: spec.driver, handle: spec.source.snapshotHandle };
    content.SetAnnotation(INHERITED, JSON.stringify({ ...identity, snapshot, labels, signature }));
  });

const pepr = { uuid: "bench", onError: "ignore", alwaysIgnore: { namespaces: [] } };
new PeprModule({ description: "benchmark", pepr }, [capability], { deferStart: true }).start(
  Number(process.argv[2]),
);
