/** Builds an error message in the form that all of them have: what was expected, what was given, and how to fix it. */
export function expected(option: string, expects: string, value: unknown, hint?: string): string {
  return sentence(option, expects, show(value), hint);
}

/** Does what `expected` does for a value that may be secret, such as a key: the message names only its type. */
export function expectedSecret(option: string, expects: string, value: unknown, hint: string): string {
  return sentence(option, expects, kindOf(value), hint);
}

function sentence(option: string, expects: string, shown: string, hint: string | undefined): string {
  return `Expected \`${option}\` to be ${expects}, got ${shown}${hint === undefined ? "" : `: ${hint}`}`;
}

function kindOf(value: unknown): string {
  if (value === "") return "an empty string";
  if (Array.isArray(value)) return "an array";
  return /^(undefined|object|function|symbol)$/.test(typeof value) || Number.isNaN(value) ? show(value) : `a ${typeof value}`;
}

/** Suggests a known name for each unknown one that resembles it. One more sentence covers the other unknown names and lists the known. */
export function unknownNames(
  kind: string,
  names: readonly string[],
  known: readonly string[],
  label: (name: string) => string = String,
): string[] {
  const shown = (name: string): string => `\`${label(name)}\``;
  const guesses = names.map((name) => [name, nearest(name, known)] as const);
  const others = guesses.filter(([, guess]) => guess === undefined).map(([name]) => shown(name));
  const plural = others.length > 1 ? "s" : "";
  return [
    ...guesses.flatMap(([name, guess]) => (guess === undefined ? [] : [`Unknown ${kind} ${shown(name)}: did you mean \`${guess}\`?`])),
    ...(others.length > 0 ? [`Unknown ${kind}${plural} ${others.join(", ")}: known ${kind}s are ${known.join(", ")}`] : []),
  ];
}

/** Returns the known name nearest to `name`, if one is near enough to be a typo of it. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= Math.max(2, name.length / 3) ? best.candidate : undefined;
}

/** Formats a value for a message: short, but distinguishable from values that look alike. */
function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value === "symbol") return "a symbol";
  if (Array.isArray(value))
    return value.every((item) => typeof item === "string") ? show(`[${value.join(", ")}]`).slice(1, -1) : "an array";
  if (typeof value === "object" && value !== null) return "an object";
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Counts the insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Number.POSITIVE_INFINITY;
  for (let i = 0; i <= a.length; i++) {
    const row: number[] = [];
    rows.push(row);
    for (let j = 0; j <= b.length; j++) {
      const replaced = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY;
      row.push(i + j === 0 ? 0 : Math.min(at(i - 1, j) + 1, (row[j - 1] ?? Number.POSITIVE_INFINITY) + 1, replaced, swapped));
    }
  }
  return at(a.length, b.length);
}
