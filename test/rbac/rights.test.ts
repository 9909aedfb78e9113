import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseObjects } from "../chart/chart.ts";
import { callsOf } from "../cluster/recorded-calls.ts";
import type { Call } from "../cluster/recorded-calls.ts";
import { compare, rightsOf } from "./rights.ts";

const rights = rightsOf(
  parseObjects(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: r, namespace: home }
rules:
  - { apiGroups: [""], resources: [secrets], resourceNames: [key], verbs: [get, update] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: r, namespace: home }
roleRef: { kind: Role, name: r }
subjects: [{ kind: ServiceAccount, name: w }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: c }
rules:
  - { apiGroups: [velero.io], resources: [backups], verbs: [list] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: c }
roleRef: { kind: ClusterRole, name: c }
subjects: [{ kind: ServiceAccount, name: w }]
`),
);
const usual: Call[] = [
  { account: "w", verb: "get", group: "", resource: "secrets", namespace: "home", name: "key" },
  { account: "w", verb: "update", group: "", resource: "secrets", namespace: "home", name: "key" },
  { account: "w", verb: "list", group: "velero.io", resource: "backups", namespace: "", name: "" },
];
const [first] = usual;
assert.ok(first);

describe("calls and rights", () => {
  test("fit each other", () => {
    assert.deepEqual(compare(usual, rights), { notGranted: [], notUsed: [] });
  });

  const more: Record<string, [Partial<Call>, string]> = {
    "of another account": [{ account: "c" }, 'c: get core/secrets key in "home"'],
    "with another verb": [{ verb: "delete" }, 'w: delete core/secrets key in "home"'],
    "of another group": [{ group: "x" }, 'w: get x/secrets key in "home"'],
    "of a subresource": [{ resource: "secrets/status" }, 'w: get core/secrets/status key in "home"'],
    "of another name": [{ name: "other" }, 'w: get core/secrets other in "home"'],
    "without a name": [{ name: "" }, 'w: get core/secrets in "home"'],
    "in another namespace": [{ namespace: "away" }, 'w: get core/secrets key in "away"'],
  };
  for (const [name, [change, wanted]] of Object.entries(more)) {
    test(`tell of a call ${name}`, () => {
      assert.deepEqual(compare([...usual, { ...first, ...change }], rights).notGranted, [wanted]);
    });
  }

  for (const left of usual) {
    test(`tell of the right to ${left.verb} ${left.resource} that nothing uses`, () => {
      const { notUsed } = compare(
        usual.filter((call) => call !== left),
        rights,
      );
      assert.equal(notUsed.length, 1);
      assert.match(notUsed[0] ?? "", new RegExp(`^w: ${left.verb} `));
    });
  }

  test("a binding that leads nowhere is an error", () => {
    const binding = `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: r, namespace: home }
roleRef: { kind: ClusterRole, name: gone }
subjects: [{ kind: ServiceAccount, name: w }]
`;
    assert.throws(() => rightsOf(parseObjects(binding)), /RoleBinding r: no ClusterRole/);
  });
});

describe("an entry of the audit log", () => {
  const username = "system:serviceaccount:snapshot-retainer:snapshot-retainer-webhook";
  const objectRef = { resource: "secrets", namespace: "home", name: "key" };
  const entry = { verb: "get", requestURI: "/api/v1/x?y", user: { username }, objectRef };
  const call = { ...first, account: "snapshot-retainer-webhook" };

  test("is a call of its account", () => {
    assert.deepEqual(callsOf(entry), [call]);
  });

  test("of somebody else is none", () => {
    assert.deepEqual(callsOf({ ...entry, user: { username: "system:serviceaccount:velero:velero" } }), []);
  });

  test("of a creation names no object, as RBAC sees it", () => {
    assert.deepEqual(callsOf({ ...entry, verb: "create" }), [{ ...call, verb: "create", name: "" }]);
  });

  test("of an apply that made the object is a creation as well", () => {
    const made = { ...entry, verb: "patch", responseStatus: { code: 201 } };
    assert.deepEqual(
      callsOf(made).map(({ verb }) => verb),
      ["patch", "create"],
    );
  });

  test("of a path that is no resource is a call of that path", () => {
    const { objectRef: _none, ...path } = entry;
    assert.deepEqual(callsOf(path), [{ ...call, resource: "/api/v1/x", namespace: "", name: "" }]);
  });
});
