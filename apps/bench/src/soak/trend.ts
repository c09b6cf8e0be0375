/** A value at a time. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Returns by how much `y` grows per unit of `x`, by the method of least squares. `NaN` if there are fewer than two different `x`. */
export function slope(points: readonly Point[]): number {
  const mean = (of: (point: Point) => number): number => points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [middleX, middleY] = [mean(({ x }) => x), mean(({ y }) => y)];
  let [products, squares] = [0, 0];
  for (const { x, y } of points) {
    products += (x - middleX) * (y - middleY);
    squares += (x - middleX) ** 2;
  }
  return products / squares;
}

/** Divides the points into those of the first and of the second half of the time. */
export function halves(points: readonly Point[]): readonly [first: Point[], second: Point[]] {
  const xs = points.map(({ x }) => x);
  const middle = (Math.min(...xs) + Math.max(...xs)) / 2;
  return [points.filter(({ x }) => x < middle), points.filter(({ x }) => x >= middle)];
}
