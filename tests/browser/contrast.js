// Text whose contrast with its ground is below WCAG AA, and controls without a visible name. Run inside the page.
const rgb = (text) => {
  const m = text.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
  return { r: m[0], g: m[1], b: m[2], a: m.length > 3 ? m[3] : 1 };
};
const over = (top, under) => ({
  r: top.r * top.a + under.r * (1 - top.a),
  g: top.g * top.a + under.g * (1 - top.a),
  b: top.b * top.a + under.b * (1 - top.a),
  a: 1,
});
const luminance = ({ r, g, b }) => {
  const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const ratio = (a, b) => {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
};
const dark = matchMedia('(prefers-color-scheme: dark)').matches;
const ground = (node) => {
  const layers = [];
  for (let at = node; at; at = at.parentElement) layers.push(rgb(getComputedStyle(at).backgroundColor));
  layers.push(dark ? { r: 0, g: 0, b: 0, a: 1 } : { r: 255, g: 255, b: 255, a: 1 });
  return layers.reduceRight((under, top) => over(top, under));
};
const poor = [];
let looked = 0;
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const node = walk.currentNode.parentElement;
  const unseen = node.closest('.unseen, .skip, script, noscript') || !node.checkVisibility();
  if (unseen || !walk.currentNode.textContent.trim()) continue;
  const style = getComputedStyle(node);
  const inSvg = node.namespaceURI.endsWith('svg');
  const ink = over(rgb(inSvg ? style.fill : style.color), ground(node));
  const size = parseFloat(style.fontSize);
  const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
  const found = ratio(ink, ground(node));
  looked += 1;
  if (found < needed) poor.push(`${walk.currentNode.textContent.trim().slice(0, 40)}: ${found.toFixed(2)} < ${needed}`);
}
// Signs that carry meaning: 3 to 1.
for (const seat of document.querySelectorAll('.seat:not(.blocked)')) {
  const found = ratio(rgb(getComputedStyle(seat).fill), ground(seat.closest('div, li')));
  looked += 1;
  if (found < 3) poor.push(`seat ${seat.getAttribute('class')}: ${found.toFixed(2)} < 3`);
}
for (const control of document.querySelectorAll('input, select')) {
  if (!control.checkVisibility()) continue;
  const found = ratio(rgb(getComputedStyle(control).borderTopColor), ground(control.parentElement));
  looked += 1;
  if (found < 3) poor.push(`edge of ${control.id}: ${found.toFixed(2)} < 3`);
}
return { looked, poor: [...new Set(poor)] };
