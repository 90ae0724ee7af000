/** The declared paths, to tell what is unknown (404) from what is known under another method (405). */
export class PathTable {
  /** By number of segments. */
  readonly #bySize = new Map<number, { segments: string[]; methods: Set<string> }[]>();

  /** `path` as in a route's declaration, `method` in upper case. */
  add(path: string, method: string): void {
    const segments = path.split('/');
    const entries = this.#bySize.get(segments.length) ?? [];
    this.#bySize.set(segments.length, entries);
    const known = entries.find((entry) => entry.segments.join('/') === path);
    if (known !== undefined) known.methods.add(method);
    else entries.push({ segments, methods: new Set([method]) });
  }

  /** The methods that `url` can be called with, sorted; none when nothing is there. */
  methodsOf(url: string): string[] {
    const segments = url.split('/');
    const found = new Set<string>();
    for (const entry of this.#bySize.get(segments.length) ?? []) {
      if (entry.segments.every((segment, i) => fits(segment, segments[i]!))) {
        for (const method of entry.methods) found.add(method);
      }
    }
    return [...found].sort();
  }
}

function fits(pattern: string, segment: string): boolean {
  return pattern.startsWith(':') ? segment !== '' : pattern === segment;
}
