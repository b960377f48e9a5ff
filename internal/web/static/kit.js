// Parts that every view is made of.
import { html, useState, useEffect, useRef } from './preact.js';
import { store, stale } from './store.js';
import { signs } from './words.js';

// route is what the address says: #/view/name?key=value.
export function route() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const [view, ...rest] = path.split('/');
  return { view: view || 'overview', name: rest.map(decodeURIComponent).join('/'), query: new URLSearchParams(query || '') };
}
export function go(changes) {
  const now = route();
  for (const [key, value] of Object.entries(changes)) value ? now.query.set(key, value) : now.query.delete(key);
  const query = now.query.toString();
  const path = now.name ? `${now.view}/${encodeURIComponent(now.name)}` : now.view;
  history.replaceState(null, '', `#/${path}${query ? `?${query}` : ''}`);
  dispatchEvent(new HashChangeEvent('hashchange'));
}

// State is a state with its sign. What may no longer be so is shown as that, however well it was.
export function State({ level, children, fresh }) {
  if (stale() && !fresh) return html`<span class="state unknown"><span class="sign" aria-hidden="true">?</span><span class="hidden">last known: </span>${children}</span>`;
  return html`<span class="state ${level}"><span class="sign" aria-hidden="true">${signs[level]}</span>${children}</span>`;
}
export const HostLink = ({ name }) => (name ? html`<a href="#/host/${encodeURIComponent(name)}">${name}</a>` : '');
export const ServiceLink = ({ name }) => html`<a href="#/service/${encodeURIComponent(name)}">${name}</a>`;
export function Subject({ name }) {
  if (name.includes(':')) return html`<${ServiceLink} name=${name} />`;
  return store.nodes.has(name) ? html`<${HostLink} name=${name} />` : name;
}

// Told is a sentence in which what stands in backquotes is a command.
export function Told({ text }) {
  return text.split('`').map((part, i) => (i % 2 ? html`<code>${part}</code>` : part));
}

// mostRows bounds what is drawn at once: a table of thousands is searched, not scrolled.
const mostRows = 200;

// Table sorts and filters; how is kept in the address.
export function Table({ label, columns, rows, id = '', first, none }) {
  const { query } = route();
  const [all, setAll] = useState(false);
  const sort = query.get(`${id}sort`) || first || columns[0].key;
  const down = sort.startsWith('-');
  const by = columns.find((c) => c.key === sort.replace('-', '')) || columns[0];
  const wanted = (query.get(`${id}q`) || '').toLowerCase().split(/\s+/).filter(Boolean);
  const text = (row) => columns.map((c) => String((c.text || c.value)(row))).join(' ').toLowerCase();
  const found = wanted.length ? rows.filter((row) => { const t = text(row); return wanted.every((w) => t.includes(w)); }) : rows;
  const order = (a, b) => {
    const [x, y] = [by.value(a), by.value(b)];
    if (typeof x === 'number' && typeof y === 'number') return x - y;
    return String(x).localeCompare(String(y), 'en', { numeric: true });
  };
  const sorted = [...found].sort((a, b) => (down ? -order(a, b) : order(a, b)));
  const shown = all ? sorted : sorted.slice(0, mostRows);
  return html`<div class="table">
    <div class="tools">
      <label>Filter <input type="search" value=${query.get(`${id}q`) || ''} onInput=${(e) => go({ [`${id}q`]: e.target.value })} /></label>
      <span class="count" role="status">${found.length === rows.length ? rows.length : `${found.length} of ${rows.length}`}</span>
    </div>
    <table>
      <caption class="hidden">${label}</caption>
      <thead><tr>${columns.map((c) => html`<th scope="col" aria-sort=${c === by ? (down ? 'descending' : 'ascending') : 'none'} class=${c.number ? 'number' : ''}>
        <button type="button" onClick=${() => go({ [`${id}sort`]: c === by && !down ? `-${c.key}` : c.key })}>${c.title}<span aria-hidden="true">${c === by ? (down ? ' ▾' : ' ▴') : ''}</span></button></th>`)}</tr></thead>
      <tbody>${shown.map((row) => html`<tr key=${row.key}>${columns.map((c) => html`<td data-label=${c.title} class=${`${c.number ? 'number' : ''}${c.minor ? ' minor' : ''}`}>${c.cell ? c.cell(row) : c.value(row)}</td>`)}</tr>`)}</tbody>
    </table>
    ${found.length === 0 && html`<p class="none">${rows.length ? 'Nothing fits the filter.' : none || 'There is none.'}</p>`}
    ${shown.length < found.length && html`<p><button type="button" onClick=${() => setAll(true)}>Show all ${found.length}</button></p>`}
  </div>`;
}

// Asked asks the node for something when the keys change, and again every so often.
export function useAsked(ask, keys, every = 0) {
  const [state, setState] = useState({});
  useEffect(() => {
    const stop = new AbortController();
    let timer;
    const once = async () => {
      try {
        const answer = await ask(stop.signal);
        setState({ answer });
      } catch (problem) {
        if (stop.signal.aborted) return;
        setState((before) => ({ answer: before.answer, problem: problem.message }));
      }
      if (every && !stop.signal.aborted) timer = setTimeout(once, every);
    };
    once();
    return () => { stop.abort(); clearTimeout(timer); };
  }, keys);
  return state;
}
export function Problem({ state }) {
  if (!state.problem) return '';
  return html`<p class="problem" role="alert">${state.answer ? `Not newer than before: ${state.problem}` : state.problem}</p>`;
}

// Dialog asks something; Escape and its button close it.
export function Dialog({ title, onClose, children }) {
  const at = useRef();
  useEffect(() => { at.current.showModal(); }, []);
  return html`<dialog ref=${at} onClose=${onClose} aria-labelledby="dialog-title">
    <h2 id="dialog-title">${title}</h2>${children}</dialog>`;
}
