// How a seat looks: the shape is its category, what is done to the shape is its state. Colour comes on top of both.

const polygon = (corners, r, turn = 0) =>
  'M' +
  Array.from({ length: corners }, (_, i) => {
    const a = ((i / corners) * 2 - 0.5) * Math.PI + turn;
    return `${(r * Math.cos(a)).toFixed(2)} ${(r * Math.sin(a)).toFixed(2)}`;
  }).join('L') +
  'Z';
const circle = (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
const square = (r) => `M${-r} ${-r}h${2 * r}v${2 * r}h${-2 * r}Z`;

const shapes = [
  circle,
  (r) => square(r * 0.9),
  (r) => polygon(4, r * 1.2),
  (r) => polygon(6, r * 1.08),
  (r) => polygon(3, r * 1.25),
  (r) => polygon(5, r * 1.12),
];
export const shapeNames = ['circle', 'square', 'diamond', 'hexagon', 'triangle', 'pentagon'];
export const shapeOf = (category) => category % shapes.length;

const cross = 'M-3 -2L-2 -3L0 -1L2 -3L3 -2L1 0L3 2L2 3L0 1L-2 3L-3 2L-1 0Z';
const check = 'M-2.6 0.1L-1.7 -0.8L-0.6 0.400L1.9 -2.100L2.8 -1.2L-0.6 2.2Z';

/// The path of a seat within a box of 10 by 10 around the origin; drawn with the even-odd rule.
export function seatPath(look, category) {
  const shape = shapes[shapeOf(category)];
  switch (look) {
    case 'free':
      return shape(3.9);
    case 'chosen':
      return circle(4.7) + check;
    case 'own':
      return circle(4.7) + circle(3.4) + circle(1.9);
    case 'held':
      return shape(3.5) + shape(2.3);
    case 'sold':
      return cross;
    default:
      return circle(0.9);
  }
}

export const looks = {
  free: 'free',
  chosen: 'your choice',
  own: 'yours',
  held: 'held by somebody',
  sold: 'sold',
  blocked: 'not on sale',
};

export const lookOf = { AVAILABLE: 'free', HELD: 'held', CONFIRMED: 'sold', BLOCKED: 'blocked' };
