export interface Choice {
  readonly value: string;
  readonly label: string;
  /** Why it cannot be chosen. */
  readonly missing?: string | undefined;
}

/** Fills `place` with radio buttons, the first of which is chosen, and returns a function that reads the choice. */
export function choices(place: HTMLElement, name: string, offered: readonly Choice[], preferred?: string): () => string {
  const inputs = offered.map(({ value, label, missing }) => {
    const input = Object.assign(document.createElement("input"), { type: "radio", name, value, disabled: missing !== undefined });
    const caption = document.createElement("span");
    caption.append(label);
    const whole = document.createElement("label");
    if (missing !== undefined) whole.title = missing;
    whole.append(input, caption);
    place.append(whole);
    return input;
  });
  const usable = inputs.filter((input) => !input.disabled);
  const first = usable.find(({ value }) => value === preferred) ?? usable[0];
  if (first !== undefined) first.checked = true;
  return () => inputs.find((input) => input.checked)?.value ?? "";
}
