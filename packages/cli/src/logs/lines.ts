import { StringDecoder } from "node:string_decoder";

/** The longest line that is kept. Longer ones are cut here, so that a file without line breaks does not fill the memory. */
const longestLine = 256 * 1024;

/** Splits a stream into lines, and yields those of each chunk together: a promise for every line would cost more than reading it. */
export async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  for await (const chunk of chunks) {
    const lines = `${rest}${decoder.write(chunk)}`.split("\n");
    rest = (lines.pop() as string).slice(0, longestLine);
    if (lines.length > 0) yield lines.map(withoutReturn);
  }
  rest += decoder.end();
  if (rest !== "") yield [withoutReturn(rest)];
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}
