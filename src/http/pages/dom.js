// Elements in one line each. Text only ever goes in as text.

const svgSpace = 'http://www.w3.org/2000/svg';

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'on') for (const [event, call] of Object.entries(value)) node.addEventListener(event, call);
    else if (name === 'text') node.textContent = value;
    else if (name === 'value') node.value = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

export const el = (tag, props, ...children) => fill(document.createElement(tag), props, children);
export const svg = (tag, props, ...children) => fill(document.createElementNS(svgSpace, tag), props, children);

/// Sets text only where it differs, so that nothing is announced or painted twice.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function button(text, call, props = {}) {
  return el('button', { type: 'button', ...props, on: { click: call }, text });
}

/// Shows that work is under way; the button stays focusable but does nothing.
export function busy(node, is) {
  node.setAttribute('aria-disabled', is ? 'true' : 'false');
  node.classList.toggle('busy', is);
}

export const isBusy = (node) => node.getAttribute('aria-disabled') === 'true';

/// Repeats until the view is left.
export function every(ms, call, signal) {
  const timer = setInterval(call, ms);
  signal.addEventListener('abort', () => clearInterval(timer));
}

export function sleep(ms, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', () => (clearTimeout(timer), done()));
  });
}

let spoken = 0;

/// For those who listen: politely, or at once.
export function say(text, urgent = false) {
  const node = document.getElementById(urgent ? 'alarm' : 'say');
  // The same words twice would be silent.
  node.textContent = text + (++spoken % 2 ? '' : '\u00a0');
}

/// A meter drawn by CSS alone.
export function meter(label, value, max, props = {}) {
  return el('progress', { 'aria-label': label, max: Math.max(max, 1), value, ...props });
}
