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

/** Says what to write instead of a name, if `known` has an equivalent. */
export type HintOf = (name: string, known: readonly string[]) => string | undefined;

interface UnknownNames {
  /** Names an option as the caller wrote it. */
  readonly label?: (name: string) => string;
  /** Whether a list of known names has been given before. */
  readonly isListed?: (list: string) => boolean;
  readonly hintOf?: HintOf | undefined;
}

/**
 * Says what to write instead of each unknown name: the equivalent of another library's option, or a known name that resembles it. One more
 * sentence covers the other unknown names and lists the known ones, unless `isListed` says that they have been listed.
 */
export function unknownNames(
  kind: "option" | "variable",
  names: readonly string[],
  known: readonly string[],
  { label = String, isListed = () => false, hintOf = () => undefined }: UnknownNames = {},
): string[] {
  const shown = (name: string): string => `\`${label(name)}\``;
  const hints = names.map((name) => [name, hintOf(name, known) ?? didYouMean(name, known)] as const);
  const others = hints.filter(([, hint]) => hint === undefined).map(([name]) => shown(name));
  const plural = others.length > 1 ? "s" : "";
  const list = `known ${kind}s are ${known.join(", ")}`;
  return [
    ...hints.flatMap(([name, hint]) => (hint === undefined ? [] : [`Unknown ${kind} ${shown(name)}: ${hint}`])),
    ...(others.length > 0 ? [`Unknown ${kind}${plural} ${others.join(", ")}${isListed(list) ? "" : `: ${list}`}`] : []),
  ];
}

function didYouMean(name: string, known: readonly string[]): string | undefined {
  const guess = nearest(name, known);
  return guess === undefined ? undefined : `did you mean \`${guess}\`?`;
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

/** Counts the insertions, deletions, substitutions and swaps of neighbors that turn `a` into `b`. */
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
