/** Adapts an asynchronous library to a function that returns whether a call was admitted. Some refuse by rejecting with a non-error. */
export function admission<Answer>(
  ask: (key: string) => Promise<Answer>,
  admits: (answer: Answer) => boolean,
): (key: string) => Promise<boolean> {
  return async (key) => {
    try {
      return admits(await ask(key));
    } catch (error) {
      if (error instanceof Error) throw error;
      return false;
    }
  };
}
