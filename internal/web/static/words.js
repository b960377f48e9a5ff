// How states are shown. A state that is not known is shown as unknown, never as well.
import { store } from './store.js';

// level: ok, busy, off, warn, bad, unknown. Each has a sign of its own beside its colour.
export const signs = { ok: '●', busy: '◐', off: '○', warn: '▲', bad: '■', unknown: '?' };
export const ranks = { bad: 0, unknown: 1, warn: 2, busy: 3, off: 4, ok: 5 };

const serviceLevels = {
  started: 'ok', starting: 'busy', stopping: 'busy', migrating: 'busy', relocating: 'busy', recovering: 'busy', checking: 'busy',
  recoverable: 'warn', failed: 'bad', stopped: 'warn', disabled: 'off', uninitialized: 'unknown', broken: 'bad',
};
const nodeLevels = {
  online: 'ok', joining: 'busy', looking: 'busy', leaving: 'busy', left: 'off', silent: 'warn', deaf: 'warn', lost: 'bad', fencing: 'bad', fenced: 'off',
};
const upStates = ['started', 'migrating', 'stopping'];

// serviceLook says what is to be shown of a service: its level, and its state in words.
export function serviceLook(service) {
  const owner = service.owner && store.nodes.get(service.owner);
  if (upStates.includes(service.stateText) && owner && !owner.online) {
    return { level: 'unknown', text: `unknown: ${owner.name} is ${owner.state}` };
  }
  if (service.paused) return { level: 'bad', text: 'paused' };
  if (service.stateText === 'migrating' && service.target) {
    return { level: 'busy', text: `migrating to ${service.target}` };
  }
  let level = serviceLevels[service.stateText] || 'unknown';
  if (level === 'ok' && (service.behind && said(service.behind) || service.flagsText.includes('P'))) level = 'warn';
  const flags = service.flagsText ? ` [${service.flagsText}]` : '';
  return { level, text: service.stateText + flags };
}

export function nodeLook(node) {
  let level = nodeLevels[node.state] || 'unknown';
  let text = node.state;
  if (node.state === 'online' && !node.online) { level = 'unknown'; text = 'unknown: not heard here'; }
  if (level === 'ok' && said(node.hung)) { level = 'warn'; text = 'online, hypervisor hung'; }
  if (node.order) text += `, ${node.order.order}`;
  return { level, text };
}

// said is the sentence of a text, or words from outside as they are.
export function said(text) {
  if (!text) return '';
  return typeof text === 'string' ? text : text.text || text.code || '';
}
export const codeOf = (text) => (text && typeof text === 'object' ? text.code : '');

const two = (n) => String(n).padStart(2, '0');
export function clock(time) {
  const t = new Date(time);
  return isNaN(t) || t.getUTCFullYear() < 1971 ? '' : `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
}
export function stamp(time) {
  const t = new Date(time);
  if (isNaN(t) || t.getUTCFullYear() < 1971) return '';
  return `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} ${clock(time)}`;
}
// span tells milliseconds in the unit that fits.
export function span(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3600000) return `${Math.floor(ms / 60000)} min ${Math.round(ms / 1000) % 60} s`;
  if (ms < 86400000) return `${Math.floor(ms / 3600000)} h ${Math.floor(ms / 60000) % 60} min`;
  return `${Math.floor(ms / 86400000)} d ${Math.floor(ms / 3600000) % 24} h`;
}
// since is how long ago a moment is by the node's clock.
export function since(time) {
  const passed = new Date(store.at || Date.now()) - new Date(time);
  return isNaN(passed) ? '' : span(Math.max(0, passed));
}
export function bytes(n) {
  if (!n) return '0 B';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const i = Math.min(units.length - 1, Math.floor(Math.log2(n) / 10));
  return `${(n / 2 ** (10 * i)).toFixed(i ? 1 : 0)} ${units[i]}`;
}
export const count = (n, thing, things) => `${n} ${n === 1 ? thing : things || `${thing}s`}`;

// failoverOf reads a failover out of the timeline's event that ended it; null for other events.
export function failoverOf(event) {
  const phases = (event.phases || []).filter((p) => p.at && !p.at.startsWith('0001'));
  const lost = phases.find((p) => p.what === 'last heard');
  if (!lost || event.to !== 'started') return null;
  const begin = new Date(lost.at);
  const moments = phases.map((p) => ({ what: p.what, after: new Date(p.at) - begin })).sort((a, b) => a.after - b.after);
  return { event, moments, took: moments[moments.length - 1].after };
}
