/** Whether a library that promises admits a call; a rejection that is no error is its way to refuse. */
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
