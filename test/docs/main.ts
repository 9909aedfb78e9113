import { writeFile } from "node:fs/promises";
import { DOCUMENTS, renderDocument } from "./reference.ts";

// Writes the tables that come from the sources into the documents.
for (const file of DOCUMENTS) await writeFile(file, await renderDocument(file));
