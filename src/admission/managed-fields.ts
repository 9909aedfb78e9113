const KEY = '"managedFields":[';
/** Longer bodies are long by something else: to look through them would take longer than it saves. */
const LONGEST = 64 * 1024;

/**
 * To the end of a list without lists in it, which managedFields is: the first bracket outside of a text. No character
 * can be matched in two ways, so that no body makes it slow.
 */
const REST_OF_LIST = /[^"\]]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[^"\]]*)*\]/y;

/**
 * A review's JSON without the entries of `managedFields`: no rule reads them, and they are half of most objects, and of
 * what it takes to parse them (docs/performance.md). JSON stays JSON: within a text, a quote has a backslash before it, so that
 * what is looked for can only be the end of a key, with its list. A list with lists in it may come out as no JSON. What is no JSON
 * within the list goes unnoticed, and changes nothing: all that is decided on is outside, where it has to be JSON.
 */
export function withoutManagedFields(body: string): string {
  if (body.length > LONGEST) {
    return body;
  }
  let kept = "";
  let from = 0;
  for (let at = body.indexOf(KEY); at >= 0; at = body.indexOf(KEY, from)) {
    REST_OF_LIST.lastIndex = at + KEY.length;
    if (!REST_OF_LIST.test(body)) {
      break;
    }
    kept += body.slice(from, at + KEY.length);
    from = REST_OF_LIST.lastIndex - 1;
  }
  return from === 0 ? body : kept + body.slice(from);
}
