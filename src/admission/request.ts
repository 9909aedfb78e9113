import { accountOf } from "./accounts.ts";
import type { AdmissionRequest } from "./review.ts";
import type { Request, Rule, Surroundings } from "./rule.ts";

/** Thrown for an object that does not have the shape of its kind; says where and what. */
export class UnreadableObject extends Error {
  override readonly name = "UnreadableObject";
}

/** A request with its objects parsed and its account sorted; throws `UnreadableObject`. */
export function readRequest<T>(
  reader: Reader<T>,
  raw: AdmissionRequest,
  context: Pick<Surroundings, "policy"> & { readonly ownAccounts: readonly string[] },
): Request<T> {
  const update = raw.operation === "UPDATE";
  return {
    operation: update ? "UPDATE" : "CREATE",
    namespace: raw.namespace ?? "",
    name: raw.name ?? "",
    username: raw.userInfo.username,
    account: accountOf(raw.userInfo.username, context.policy, context.ownAccounts),
    dryRun: raw.dryRun === true,
    object: parse(reader, raw.object, "object"),
    oldObject: update ? parse(reader, raw.oldObject, "oldObject") : undefined,
  };
}

/** How the objects of a rule's kind are read. */
type Reader<T> = Pick<Rule<T, unknown>, "schema" | "check">;

function parse<T>({ schema, check }: Reader<T>, value: unknown, field: string): T {
  if (check?.(value) === true) {
    return value;
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) {
    return parsed.data;
  }
  const issue = parsed.error.issues[0];
  throw new UnreadableObject(
    `${[field, ...(issue?.path ?? [])].join(".")}: ${issue?.message ?? "unreadable"}`,
  );
}
