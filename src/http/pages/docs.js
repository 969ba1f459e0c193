// Reads /openapi.json to people: calls by topic, each with what it takes and answers; then the shapes they share.
import { el, say } from './dom.js';

let spec;

const resolve = (part) => {
  if (!part?.$ref) return part ?? {};
  const found = part.$ref.slice(2).split('/').reduce((at, name) => at[name], spec);
  return { ...found, ...part, $ref: undefined }; // a description beside the reference counts
};
const nameOf = (part) => part.$ref?.split('/').pop();
const methods = ['get', 'put', 'post', 'patch', 'delete'];

// ---- shapes ----

const limits = {
  minimum: (v) => `≥ ${v}`,
  maximum: (v) => `≤ ${v}`,
  minLength: (v) => `at least ${v} characters`,
  maxLength: (v) => `at most ${v} characters`,
  minItems: (v) => `at least ${v}`,
  maxItems: (v) => `at most ${v}`,
  pattern: (v) => `like ${v}`,
  format: (v) => v,
  default: (v) => `otherwise ${JSON.stringify(v)}`,
};

/// What a value is, in a few words; a shape with a name is a link to it.
function words(schema) {
  const name = nameOf(schema);
  if (name && spec.components.schemas[name]) return [el('a', { href: `#shape-${name}`, text: name })];
  if (schema.enum) return [`one of ${schema.enum.join(', ')}`];
  if ('const' in schema) return [JSON.stringify(schema.const)];
  const either = schema.oneOf ?? schema.anyOf;
  if (either) return either.flatMap((one, n) => (n ? [' or ', ...words(one)] : words(one)));
  if (schema.type === 'array') return ['list of ', ...words(schema.items ?? {})];
  const type = [schema.type ?? (schema.properties || schema.allOf ? 'object' : 'anything')].flat().join(' or ');
  const said = Object.entries(limits).filter(([key]) => key in schema).map(([key, tell]) => tell(schema[key]));
  return [[type, ...said].join(', ')];
}

/// The fields of an object, and of objects within it that have no name of their own.
function fields(schema) {
  const own = nameOf(schema) ? {} : schema;
  const inner = own.type === 'array' ? own.items ?? {} : own;
  if (nameOf(inner)) return null;
  const parts = [inner, ...(inner.allOf ?? []).map(resolve), ...(inner.oneOf ?? []).filter((one) => !nameOf(one))];
  const all = parts.flatMap((part) => Object.entries(part.properties ?? {}).map(([name, of]) => [name, of, part.required?.includes(name)]));
  if (!all.length) return null;
  return el('dl', { class: 'fields' }, ...all.flatMap(([name, of, required]) => [
    el('dt', {}, el('code', { text: name }), required && el('span', { class: 'required', text: ' required' })),
    el('dd', {}, ...words(of), of.description && el('p', { class: 'muted', text: of.description }), fields(of)),
  ]));
}

const shape = (schema) => [el('p', {}, ...words(schema)), fields(schema)];

// ---- calls ----

function parameters(list) {
  if (!list.length) return [];
  return [el('h4', { text: 'Parameters' }), el('dl', { class: 'fields' }, ...list.map(resolve).flatMap((p) => [
    el('dt', {}, el('code', { text: p.name }), el('span', { class: 'muted', text: ` ${p.in}` }),
      p.required && el('span', { class: 'required', text: ' required' })),
    el('dd', {}, ...words(p.schema ?? {}), p.description && el('p', { class: 'muted', text: p.description })),
  ]))];
}

function contents(content) {
  return Object.entries(content ?? {}).flatMap(([type, { schema }]) =>
    [el('p', { class: 'muted' }, el('code', { text: type })), ...shape(schema ?? {})]);
}

function responses(all) {
  return [el('h4', { text: 'Answers' }), el('dl', { class: 'answers' }, ...Object.entries(all).flatMap(([status, of]) => {
    const whole = resolve(of);
    const problem = nameOf(of) && Number(status) >= 400; // all problems have one shape
    return [el('dt', { class: `status s${status[0]}`, text: status }),
      el('dd', {}, el('p', { text: whole.description }), ...(problem ? [] : contents(whole.content)))];
  }))];
}

const needs = (call) => (call.security ?? []).flatMap((one) => Object.keys(one)).join(' or ');

function call(path, method, of) {
  const token = needs(of);
  const body = of.requestBody && resolve(of.requestBody);
  return el('details', { class: 'call', id: of.operationId },
    el('summary', {},
      el('span', { class: `method ${method}`, text: method.toUpperCase() }),
      el('code', { class: 'path', text: path }),
      el('span', { class: 'what', text: of.summary })),
    el('div', { class: 'more' },
      of.description && el('p', { text: of.description }),
      el('p', { class: 'muted', text: token ? `Authorization: Bearer ${token}` : 'No token needed.' }),
      ...parameters([...(spec.paths[path].parameters ?? []), ...(of.parameters ?? [])]),
      ...(body ? [el('h4', { text: body.required ? 'Body' : 'Body, if any' }), ...contents(body.content)] : []),
      ...responses(of.responses)));
}

function topics() {
  return spec.tags.map(({ name }) => {
    const calls = Object.entries(spec.paths).flatMap(([path, item]) =>
      methods.filter((m) => item[m]?.tags?.includes(name)).map((m) => call(path, m, item[m])));
    return el('section', { class: 'topic' }, el('h2', { text: name }), ...calls);
  });
}

function shapes() {
  return el('section', { class: 'topic' }, el('h2', { text: 'shapes' }),
    ...Object.entries(spec.components.schemas).map(([name, of]) => el('details', { class: 'call', id: `shape-${name}` },
      el('summary', {}, el('code', { class: 'path', text: name })),
      el('div', { class: 'more' }, of.description && el('p', { text: of.description }), ...shape(of)))));
}

// ---- the page ----

function narrow(main, wanted) {
  const parts = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const one of main.querySelectorAll('.call')) {
    const text = one.querySelector('summary').textContent.toLowerCase();
    one.hidden = !parts.every((part) => text.includes(part));
    shown += one.hidden ? 0 : 1;
  }
  for (const topic of main.querySelectorAll('.topic')) topic.hidden = !topic.querySelector('.call:not([hidden])');
  say(`${shown} shown`);
}

function openNamed() {
  const one = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!one?.matches('details')) return;
  one.open = true;
  one.hidden = one.closest('.topic').hidden = false;
  one.scrollIntoView();
  one.querySelector('summary').focus({ preventScroll: true });
}

async function begin() {
  const main = document.getElementById('main');
  try {
    const answer = await fetch('/openapi.json');
    if (!answer.ok) throw new Error(`${answer.status}`);
    spec = await answer.json();
  } catch {
    main.append(el('p', { role: 'alert', text: 'The node does not answer. Try again in a moment.' }));
    return;
  }
  const search = el('input', { type: 'search', id: 'search', autocomplete: 'off', on: { input: () => narrow(main, search.value) } });
  main.append(
    el('p', { class: 'lead', text: spec.info.description }),
    el('p', { class: 'search' }, el('label', { for: 'search', text: 'Find a call or a shape' }), search),
    ...topics(), shapes());
  addEventListener('hashchange', openNamed);
  openNamed();
}

begin();
