// Questions about what would happen, and about what tells people. Nothing here changes anything.
import { html } from './preact.js';
import { store, get } from './store.js';
import { said, stamp, bytes, count } from './words.js';
import { State, HostLink, ServiceLink, Told, Table, useAsked, Problem, route, go } from './kit.js';

const hosts = () => [...store.nodes.values()].filter((n) => !n.witness).map((n) => n.name).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));

// ways are what becomes of a service, in words and with a level.
const ways = {
  live: ['ok', (s) => html`moves live to <${HostLink} name=${s.to} />`], cold: ['busy', (s) => html`is started on <${HostLink} name=${s.to} />`],
  stays: ['bad', () => 'has no other place'], goes: ['off', () => 'is no longer a service'],
};

function Map({ answer }) {
  const steps = answer.steps || [];
  const columns = [
    { key: 'service', title: 'Service', value: (s) => s.service, cell: (s) => html`<${ServiceLink} name=${s.service} />` },
    { key: 'from', title: 'Now on', value: (s) => s.from || '', cell: (s) => html`<${HostLink} name=${s.from} />` },
    { key: 'what', title: 'Then', value: (s) => s.method + (s.to || ''), cell: (s) => { const [level, words] = ways[s.method] || ['unknown', () => s.method]; return html`<${State} level=${level}>${words(s)}<//>`; } },
    { key: 'why', title: 'Why', value: (s) => said(s.why), cell: (s) => html`${said(s.why)}${said(s.next) ? html`<div class="next"><${Told} text=${said(s.next)} /></div>` : ''}` },
  ];
  const minority = answer.voters && 2 * answer.votes <= answer.voters && !answer.alone;
  return html`<div role="status">
    ${answer.remark && html`<p class="problem">${answer.remark}</p>`}
    ${minority && html`<p class="problem">${answer.votes} of ${answer.voters} voters would be left: without a majority nothing is decided before one is back. With a majority:</p>`}
    ${steps.length ? html`<${Table} id="s" label="What would become of services" columns=${columns} first="what" rows=${steps.map((s) => ({ ...s, key: s.service }))} />` : html`<p>Nothing would happen to any service.</p>`}
    ${steps.length > 0 && answer.others > 0 && html`<p class="faint">${count(answer.others, 'service')} not affected.</p>`}
    ${(answer.rooms || []).length > 0 && html`<h2>Memory then</h2><ul>${answer.rooms.map((r) => html`<li><${HostLink} name=${r.node} />: ${bytes(r.free)} free of ${bytes(r.memory)}</li>`)}</ul>`}</div>`;
}

function Reserve() {
  const state = useAsked((signal) => get('/v1/reserve?hosts=2', signal), [store.head.configVersion], 60000);
  const r = state.answer;
  return html`<h2>How many hosts may be lost</h2><${Problem} state=${state} />
    ${!r && !state.problem && html`<p class="none">Every set of hosts is being tried.</p>`}
    ${r && html`<p><${State} level=${r.hosts > 0 ? 'ok' : 'bad'}>${r.hosts > 0 ? `${count(r.hosts, 'host')} may be lost at once, whichever: everything that runs comes up on the others.` : 'No host may be lost.'}<//></p>`}
    ${r && r.bounded && html`<p class="faint">There was no time to try every set of ${r.hosts + 1}; ${r.sets} were tried.</p>`}
    ${r && (r.lost || []).length > 0 && html`<p>Without ${r.lost.join(' and ')}:</p><ul>${r.minority && html`<li>too few voters would be left; nothing is decided before one is back</li>`}
      ${(r.short || []).slice(0, 10).map((s) => html`<li><${ServiceLink} name=${s.service} />, now on <${HostLink} name=${s.from} />: ${said(s.why) || 'no host would be left'}</li>`)}
      ${(r.short || []).length > 10 && html`<li>and ${r.short.length - 10} more</li>`}</ul>`}`;
}

// WhatIf asks what would become of the services; the question stands in the address.
export function WhatIf() {
  const { query } = route();
  const down = (query.get('down') || '').split(',').filter((n) => store.nodes.has(n));
  const drain = query.get('drain') || '';
  const question = drain ? `drain=${encodeURIComponent(drain)}` : down.map((n) => `down=${encodeURIComponent(n)}`).join('&');
  const state = useAsked((signal) => (question ? get(`/v1/whatif?${question}`, signal) : Promise.resolve(null)), [question], question ? 15000 : 0); // a node that is busy is asked again
  const toggle = (name) => go({ drain: '', down: (down.includes(name) ? down.filter((n) => n !== name) : [...down, name]).join(',') });
  return html`<h1>What if</h1><p class="faint">It is worked out on a copy, by what would decide it. Nothing is done.</p>
    <fieldset><legend>These hosts lost their power at once</legend><div class="tools">${hosts().map((n) => html`<label><input type="checkbox" checked=${!drain && down.includes(n)} onChange=${() => toggle(n)} /> ${n}</label>`)}</div></fieldset>
    <p><label>or this host is drained <select value=${drain} onChange=${(e) => go({ down: '', drain: e.target.value })}><option value="">none</option>${hosts().map((n) => html`<option value=${n}>${n}</option>`)}</select></label></p>
    <${Problem} state=${state} />
    ${question && !state.answer && !state.problem && html`<p class="none">Asking what would happen…</p>`}
    ${question && state.answer && html`<h2>What would happen</h2><${Map} answer=${state.answer} />`}
    <${Reserve} />`;
}

export function Alerts() {
  const state = useAsked((signal) => get('/v1/alerts', signal), [], 10000);
  const columns = [
    { key: 'name', title: 'Alert', value: (a) => a.name },
    { key: 'way', title: 'To', value: (a) => a.way },
    { key: 'state', title: 'State', value: (a) => (a.problem ? 0 : 1), text: (a) => a.problem || 'well',
      cell: (a) => html`<${State} level=${a.problem ? 'bad' : a.at && stamp(a.at) ? 'ok' : 'off'}>${a.problem ? `since ${stamp(a.since)}: ${a.problem}` : a.at && stamp(a.at) ? `told, last ${stamp(a.at)}` : 'has told nothing yet'}<//>` },
    { key: 'sent', title: 'Told', number: true, value: (a) => a.sent },
    { key: 'failed', title: 'Given up', number: true, value: (a) => a.failed },
    { key: 'dropped', title: 'Left out', number: true, value: (a) => a.dropped },
    { key: 'teller', title: 'By', value: (a) => a.teller || '', cell: (a) => html`<${HostLink} name=${a.teller} />` },
  ];
  return html`<h1>Alerts</h1><p class="faint">Who is told of events, by program or address. <code>clusterd alert test NAME</code> tries one.</p>
    <${Problem} state=${state} />
    ${state.answer && html`<${Table} label="Alerts" columns=${columns} first="state" rows=${(state.answer.alerts || []).map((a) => ({ ...a, key: a.name }))} none="The document declares no alert: nobody is told of anything." />`}`;
}
