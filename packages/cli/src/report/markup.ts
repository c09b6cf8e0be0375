/** HTML whose inserted texts are escaped. */
export class Markup {
  readonly html: string;

  /** @param html must be safe. */
  constructor(html: string) {
    this.html = html;
  }
}

type Inserted = string | number | Markup | readonly Inserted[];

/** Builds HTML or SVG. Everything that is inserted is escaped, unless it is {@link Markup} itself. */
export function markup(parts: TemplateStringsArray, ...inserted: Inserted[]): Markup {
  return new Markup(parts.map((part, i) => `${part}${i < inserted.length ? htmlOf(inserted[i] as Inserted) : ""}`).join(""));
}

/** Marks HTML that is written in this package as safe. */
export function raw(html: string): Markup {
  return new Markup(html);
}

function htmlOf(value: Inserted): string {
  if (value instanceof Markup) return value.html;
  if (typeof value === "string" || typeof value === "number")
    return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
  return value.map(htmlOf).join("");
}
