import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accountOf, veleroAccounts } from "../../src/admission/accounts.ts";
import type { Account } from "../../src/admission/accounts.ts";
import { aPolicy } from "../builders/policy.ts";
import { OWN, TENANT, VELERO } from "../builders/request.ts";

interface Case {
  readonly username: string;
  readonly policy?: Parameters<typeof aPolicy>[0];
  readonly want: Account;
}

const movers = { dataMovers: { accounts: ["system:serviceaccount:velero:*", "mover-*"] } };
const cases: Record<string, Case> = {
  "our own account, whatever the policy says": {
    username: OWN,
    policy: { velero: { accounts: ["*"] } },
    want: "own",
  },
  "any ServiceAccount of Velero's namespace": { username: VELERO, want: "velero" },
  "any ServiceAccount of any of Velero's namespaces": {
    username: "system:serviceaccount:velero-2:node-agent",
    policy: { velero: { namespaces: ["velero", "velero-2"] } },
    want: "velero",
  },
  "only the accounts that the policy names, where it does": {
    username: "system:serviceaccount:velero:tenant",
    policy: { velero: { accounts: [VELERO] } },
    want: "other",
  },
  "Velero before a data mover": { username: VELERO, policy: movers, want: "velero" },
  "a data mover": { username: "mover-1", policy: movers, want: "data-mover" },
  "nobody of a namespace whose name begins alike": {
    username: "system:serviceaccount:velero-tenant:velero",
    want: "other",
  },
  "nobody of a user who calls himself so": { username: `x${VELERO}`, want: "other" },
  "anyone else": { username: TENANT, want: "other" },
  "a user without a name": { username: "", want: "other" },
};

describe("accountOf takes", () => {
  for (const [name, { username, policy, want }] of Object.entries(cases)) {
    test(name, () => {
      assert.equal(accountOf(username, aPolicy(policy), [OWN]), want);
    });
  }
});

test("Velero's accounts are those of its namespaces, unless they are named", () => {
  assert.deepEqual(veleroAccounts(aPolicy({ velero: { namespaces: ["a", "b"] } })), [
    "system:serviceaccount:a:*",
    "system:serviceaccount:b:*",
  ]);
  assert.deepEqual(veleroAccounts(aPolicy({ velero: { accounts: ["x"] } })), ["x"]);
});
