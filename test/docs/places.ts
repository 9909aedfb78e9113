import { format, resolveConfig } from "prettier";

/** A place in a document which a program writes: its name, and by which program. */
export interface Place {
  readonly name: string;
  readonly program: string;
}

/** Whether a document has such a place. */
export function hasPlace(text: string, place: Place): boolean {
  return text.includes(beginOf(place));
}

function beginOf({ name, program }: Place): string {
  return `<!-- ${name}: written by ${program} -->`;
}

/** The document with this in that place; throws where it has no such place. */
export function replacePlace(text: string, place: Place, content: string): string {
  const [begin, end] = [beginOf(place), `<!-- end of ${place.name} -->`];
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from === -1 || to < from)
    throw new Error(`the document has no place for ${place.name}: ${begin} … ${end}`);
  return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
}

/** As every document of the repository is formatted. */
export async function formatDocument(text: string, file: string): Promise<string> {
  return format(text, { ...(await resolveConfig(file)), filepath: file });
}
