/** The key that the benchmark's server signs with; in a file of its own, since the bodies are the generator's alone. */
export const KEY = Buffer.alloc(32, 7);
