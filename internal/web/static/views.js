// The views that show. What they can have done is in acts.js.
import { html, useState } from './preact.js';
import { store, get, may, stale } from './store.js';
import { serviceLook, nodeLook, said, codeOf, clock, stamp, span, since, bytes, count, failoverOf, ranks } from './words.js';
import { State, HostLink, ServiceLink, Subject, Told, Table, useAsked, Problem, route, go } from './kit.js';
import { ServiceActs, HostActs } from './acts.js';
import { NotForYou } from './paper.js';

const services = () => [...store.services.values()];
const nodes = () => [...store.nodes.values()].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
const members = () => nodes().filter((n) => !n.witness);
const busy = (s) => ['starting', 'stopping', 'migrating', 'relocating', 'recovering', 'checking'].includes(s.stateText);

export function Progress({ service }) {
  const p = service.progress;
  if (!p) return '';
  if (!p.bytesTotal) return html`<span class="faint">${p.phase}</span>`;
  const done = p.bytesTotal - p.bytesRemaining;
  const percent = Math.floor((100 * done) / p.bytesTotal);
  return html`<span class="progress"><progress max=${p.bytesTotal} value=${done} aria-label="progress of ${service.name}">${percent} %</progress>
    ${percent} %${p.bytesPerSecond ? `, ${bytes(p.bytesPerSecond)}/s` : ''}${p.timeLeft ? `, ${span(p.timeLeft / 1e6)} left` : ''}</span>`;
}

function ServiceState({ service }) {
  const look = serviceLook(service);
  return html`<${State} level=${look.level}>${look.text}<//>${service.progress ? html` <${Progress} service=${service} />` : ''}`;
}

// What to do about a host that is not at work.
const absent = {
  silent: '`systemctl start clusterd` there, at once', deaf: '`clusterd doctor` there tells more', lost: 'nothing starts elsewhere before it is confirmed off',
  fenced: 'its last boot runs nothing any longer; find out why it was lost, then let it boot',
};

// What is said of something that is well is no alarm.
function rests(subject) {
  const service = store.services.get(subject);
  const node = store.nodes.get(subject);
  return service ? serviceLook(service).level === 'ok' : Boolean(node) && nodeLook(node).level === 'ok';
}

// Waiting is what a person has to do: the leader's notes that say how first, then what is not well.
function waiting() {
  const notes = store.head.notes || [];
  const found = notes.filter((n) => said(n.next)).map((n) => ({ subject: n.subject, text: said(n.why), next: said(n.next), level: rests(n.subject) ? 'off' : 'bad' }));
  for (const n of nodes()) {
    if (absent[n.state] && !n.order) found.push({ subject: n.name, text: `is ${n.state}: ${said(n.why)}`, next: absent[n.state], level: nodeLook(n).level === 'off' ? 'warn' : nodeLook(n).level });
    if (n.unprotected) found.push({ subject: n.name, text: `could not be fenced: ${n.unprotected}`, next: `\`clusterd fence status ${n.name}\` says more`, level: 'warn' });
    if (said(n.hung)) found.push({ subject: n.name, text: said(n.hung), next: `\`clusterd doctor\``, level: 'warn' });
  }
  for (const s of services()) {
    if (s.stateText === 'failed') found.push({ subject: s.name, text: said(s.reason), next: `\`clusvcadm -e ${s.name}\` starts it again; \`clustat --why ${s.name}\` tells more`, level: 'bad' });
    if (s.paused) found.push({ subject: s.name, text: `is paused: ${s.paused}`, next: `\`clustat --why ${s.name}\``, level: 'bad' });
  }
  if (store.head.disarmed) found.push({ subject: '', text: `Nothing is fenced at present: ${store.head.disarmed}`, next: '`clusterd fence arm` ends that', level: 'warn' });
  const lock = store.head.lock;
  if (lock) found.push({ subject: '', text: `The cluster is ${lock.stopped ? 'stopped' : 'locked'} by ${lock.by}${lock.reason ? `: ${lock.reason}` : ''}; nothing starts`, next: '`clusvcadm -u` ends a lock, `clusterd cluster start` a stop', level: 'warn' });
  for (const w of store.head.warnings || []) found.push({ subject: store.head.local, text: w, next: '', level: 'warn' });
  const others = notes.filter((n) => !said(n.next)).map((n) => ({ subject: n.subject, text: said(n.why), next: '', level: 'busy' }));
  return { found: found.sort((a, b) => ranks[a.level] - ranks[b.level]), others };
}

function Items({ items }) {
  return html`<ul class="items">${items.map((i) => html`<li><${State} level=${i.level}>${i.subject ? html`<${Subject} name=${i.subject} />` : store.head.cluster}<//>
    <div>${i.text}${i.next && html`<div class="next"><${Told} text=${i.next} /></div>`}</div></li>`)}</ul>`;
}

function Tile({ title, level, children, to }) {
  return html`<div class="tile ${stale() ? 'unknown' : level}"><dt>${title}</dt><dd><${State} level=${level}>${children}<//>${to && html` <a class="more" href=${to}>show<span class="hidden"> ${title}</span></a>`}</dd></div>`;
}

export function Overview() {
  const all = services();
  const up = all.filter((s) => serviceLook(s).level === 'ok').length;
  const unsure = all.filter((s) => serviceLook(s).level === 'unknown').length;
  const down = all.filter((s) => ['bad', 'warn'].includes(serviceLook(s).level)).length;
  const online = nodes().filter((n) => nodeLook(n).level === 'ok').length;
  const bare = members().filter((n) => n.unprotected);
  const wait = waiting();
  const acts = all.filter(busy);
  const shots = nodes().filter((n) => n.state === 'fencing');
  const failover = [...store.events].reverse().map(failoverOf).find(Boolean);
  const reserve = useAsked((signal) => get('/v1/reserve?hosts=1', signal), [store.head.configVersion, online], 60000);
  const spare = reserve.answer;
  const short = spare && (spare.short || [])[0];
  return html`<h1>${store.head.cluster}</h1>
    <dl class="tiles">
      <${Tile} title="Quorum" level=${store.head.quorate ? 'ok' : 'unknown'}>${store.head.quorate ? `yes, led by ${store.head.leader}` : `none seen from ${store.head.local}`}<//>
      <${Tile} title="Hosts" level=${online === store.nodes.size ? 'ok' : 'bad'} to="#/hosts">${online} of ${store.nodes.size} online<//>
      <${Tile} title="Services" level=${unsure ? 'unknown' : down ? 'bad' : acts.length ? 'busy' : 'ok'} to="#/services">${up} of ${all.length} started${down ? `, ${down} not well` : ''}${unsure ? `, ${unsure} unknown` : ''}<//>
      <${Tile} title="Protection" level=${bare.length || store.head.disarmed ? 'warn' : 'ok'} to="#/fencing">${store.head.disarmed ? 'fencing is disarmed' : bare.length ? `${bare.length} of ${members().length} hosts unprotected` : 'every host can be fenced'}<//>
      <${Tile} title="A host may be lost" level=${!spare || reserve.problem ? 'unknown' : spare.hosts > 0 ? 'ok' : 'warn'} to="#/whatif">${reserve.problem ? 'not known' : !spare ? 'being worked out' : spare.hosts > 0 ? 'yes, whichever it is' : (spare.lost || []).length ? `no: not ${spare.lost.join(' and ')}${short ? `, ${short.service} would have no place` : ', too few voters would be left'}` : 'not known: there was no time'}<//>
      <${Tile} title="Last failover" level="off" to="#/failovers">${failover ? html`<${ServiceLink} name=${failover.event.subject} /> in ${span(failover.took)}, ${stamp(failover.event.at)}` : 'none in the timeline'}<//>
      <${Tile} title="Document" level="off">version ${store.head.configVersion}<//>
    </dl>
    <h2>Waits for a person</h2>
    ${wait.found.length ? html`<${Items} items=${wait.found} />` : html`<p class="none">Nothing waits for a person.</p>`}
    <h2>Under way</h2>
    ${acts.length + shots.length + wait.others.length === 0 && html`<p class="none">Nothing is under way.</p>`}
    <ul class="items">
      ${shots.map((n) => html`<li><${State} level="bad"><${HostLink} name=${n.name} /><//><div>is being fenced: ${said(n.why)}</div></li>`)}
      ${acts.slice(0, 50).map((s) => html`<li><${State} level="busy"><${ServiceLink} name=${s.name} /><//><div>${serviceLook(s).text}${s.owner ? ` on ${s.owner}` : ''} for ${since(s.since)} <${Progress} service=${s} /></div></li>`)}
      ${acts.length > 50 && html`<li><div>and ${acts.length - 50} more</div></li>`}
    </ul>
    <${Items} items=${wait.others} />
    <h2>Lately</h2>
    <${EventList} events=${[...store.events].slice(-8).reverse()} /><p><a href="#/events">All events</a></p>`;
}

const lasts = (name) => services().filter((s) => s.owner === name);

export function Hosts() {
  const columns = [
    { key: 'name', title: 'Host', value: (n) => n.name, cell: (n) => html`<${HostLink} name=${n.name} />${n.local ? html` <span class="faint">this page</span>` : ''}` },
    { key: 'state', title: 'State', value: (n) => ranks[nodeLook(n).level], text: (n) => nodeLook(n).text, cell: (n) => html`<${State} level=${nodeLook(n).level}>${nodeLook(n).text}<//>` },
    { key: 'role', title: 'Role', value: (n) => (n.leader ? 'leader' : n.voter ? 'voter' : 'member') + (n.witness ? ', witness' : '') },
    { key: 'services', title: 'Services', number: true, value: (n) => lasts(n.name).length },
    { key: 'fence', title: 'Fencing', value: (n) => (n.witness ? '' : n.unprotected ? `unprotected: ${n.unprotected}` : 'protected'),
      cell: (n) => (n.witness ? '' : html`<${State} level=${n.unprotected ? 'warn' : 'ok'}>${n.unprotected ? `unprotected: ${n.unprotected}` : 'protected'}<//>`) },
    { key: 'since', title: 'Since', minor: true, value: (n) => n.since, cell: (n) => stamp(n.since) },
    { key: 'why', title: 'Why', value: (n) => said(n.why) },
  ];
  return html`<h1>Hosts</h1><${Table} label="Hosts" columns=${columns} rows=${nodes().map((n) => ({ ...n, key: n.name }))} none="No host has joined." />`;
}

const serviceColumns = [
  { key: 'name', title: 'Service', value: (s) => s.name, cell: (s) => html`<${ServiceLink} name=${s.name} />` },
  { key: 'state', title: 'State', value: (s) => ranks[serviceLook(s).level], text: (s) => serviceLook(s).text, cell: (s) => html`<${ServiceState} service=${s} />` },
  { key: 'host', title: 'Host', value: (s) => s.owner || '', text: (s) => s.owner || `was ${s.lastOwner || ''}`,
    cell: (s) => (s.owner ? html`<${HostLink} name=${s.owner} />` : s.lastOwner ? html`<span class="faint">was <${HostLink} name=${s.lastOwner} /></span>` : '') },
  { key: 'protection', title: 'Protection', value: (s) => s.unprotected || '', cell: (s) => (s.unprotected ? html`<${State} level="warn">${s.unprotected}<//>` : s.owner ? 'yes' : '') },
  { key: 'restarts', title: 'Restarts', number: true, minor: true, value: (s) => s.restarts },
  { key: 'since', title: 'Since', minor: true, value: (s) => s.since, cell: (s) => stamp(s.since) },
  { key: 'why', title: 'Why', value: (s) => said(s.reason) },
];

export function Services() {
  return html`<h1>VMs and services</h1><${Table} label="VMs and services" columns=${serviceColumns} first="state" rows=${services().map((s) => ({ ...s, key: s.name }))} none="The document declares no service." />`;
}

function Facts({ facts }) {
  return html`<dl class="facts">${facts.filter(([, value]) => value).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
function Gone({ what, name }) { return html`<h1>${name}</h1><p class="none">There is no ${what} ${name} in this cluster.</p>`; }

export function Host({ name }) {
  const n = store.nodes.get(name);
  if (!n) return html`<${Gone} what="host" name=${name} />`;
  const look = nodeLook(n);
  return html`<h1>${name}</h1>
    <${Facts} facts=${[
    ['State', html`<${State} level=${look.level}>${look.text}<//>`], ['Why', said(n.why)], ['Since', `${stamp(n.since)} (${since(n.since)})`],
    ['Hypervisor', said(n.hung) && html`<${State} level="warn">${said(n.hung)}<//>`],
    ['Role', (n.leader ? 'leader' : n.voter ? 'voter' : 'member') + (n.witness ? ', witness' : '')],
    ['Fencing', n.witness ? '' : html`<${State} level=${n.unprotected ? 'warn' : 'ok'}>${n.unprotected || 'protected'}<//>`],
    ['Order', n.order && `${n.order.order} by ${n.order.by || 'an administrator'}${n.order.why || n.order.reason ? `: ${said(n.order.why || n.order.reason)}` : ''}`],
    ['Address', n.address], ['clusterd', n.version], ['Boot', n.boot]]} />
    <${HostActs} node=${n} />
    <h2>Services here</h2>
    <${Table} label=${`Services of ${name}`} columns=${serviceColumns.filter((c) => c.key !== 'host')} rows=${lasts(name).map((s) => ({ ...s, key: s.name }))} none="It runs no service." />
    <h2>Lately</h2>
    <${EventList} events=${store.events.filter((e) => e.subject === name || e.node === name).slice(-20).reverse()} />`;
}

export function Service({ name }) {
  const s = store.services.get(name);
  const moment = s ? JSON.stringify([s.state, s.owner, s.since, s.target]) : '';
  const why = useAsked((signal) => get(`/v1/services/${encodeURIComponent(name)}/why`, signal), [name, moment], 10000);
  const moves = useAsked((signal) => get(`/v1/moves?service=${encodeURIComponent(name)}`, signal), [name, moment]);
  const history = useAsked((signal) => get(`/v1/events?service=${encodeURIComponent(name)}&limit=100`, signal), [name, moment]);
  if (!s) return html`<${Gone} what="service" name=${name} />`;
  const look = serviceLook(s);
  const e = why.answer;
  const candidates = (e && e.candidates) || [];
  return html`<h1>${name}</h1>
    <${Facts} facts=${[
    ['State', html`<${ServiceState} service=${s} />`], ['Why', said(s.reason)], ['Since', `${stamp(s.since)} (${since(s.since)})`],
    ['Host', s.owner ? html`<${HostLink} name=${s.owner} />` : s.lastOwner && html`none; it was on <${HostLink} name=${s.lastOwner} />`],
    ['May run on', (s.holders || []).join(', ')], ['Paused', s.paused],
    ['Why here', e && e.decision && `${said(e.decision.why)}${e.decision.by ? `, by ${e.decision.by}` : ''}, ${stamp(e.decision.at)}`],
    ['Notes', e && (e.waits || e.notes || []).map((n) => said(n.why || n)).join('; ')],
    ['Protection', s.owner && html`<${State} level=${s.unprotected ? 'warn' : 'ok'}>${s.unprotected || 'its host can be fenced'}<//>`],
    ['Runs as declared before', said(s.behind)], ['Restarts', String(s.restarts)],
    ['Frozen', s.freeze && `by ${s.freeze.by || 'an administrator'}${s.freeze.reason ? `: ${s.freeze.reason}` : ''}${s.freeze.until ? `, until ${stamp(s.freeze.until)}` : ''}`],
    ['Failed on', (s.failures || []).map((f) => `${f.node}: ${said(f.why)}`).join('; ')]]} />
    <${ServiceActs} service=${s} candidates=${candidates} look=${look} />
    <h2>Where it could run</h2>
    <${Problem} state=${why} />
    ${e && e.remark && html`<p class="problem">${e.remark}</p>`}
    ${e && html`<ol class="candidates">${candidates.map((c) => html`<li class=${c.order ? '' : 'out'}><${State} level=${c.here ? 'ok' : c.order ? 'off' : 'warn'}><${HostLink} name=${c.node} />${c.here ? ' (here)' : c.order ? '' : ' (not now)'}<//> <span>${said(c.why)}${c.services !== undefined ? `; ${count(c.services, 'service')} there` : ''}</span></li>`)}</ol>
      <p class="faint">${e.leader ? `By what the leader ${e.leader} knew at ${clock(e.asOf)}. ` : ''}The first in this order that may run it is where it goes next.</p>`}
    ${moves.answer && moves.answer.moves.length > 0 && html`<h2>Live moves</h2><${MoveTable} moves=${moves.answer.moves} />`}
    <h2>History</h2>
    <${Problem} state=${history} />
    ${history.answer && html`<${EventList} events=${history.answer.events.slice().reverse()} />`}`;
}

export function EventList({ events }) {
  if (!events.length) return html`<p class="none">Nothing.</p>`;
  return html`<ol class="events">${events.map((e) => html`<li key=${`${e.index}.${e.ordinal || 0}`}>
    <time datetime=${e.at} title=${e.at}>${stamp(e.at)}</time>
    <div><${Subject} name=${e.subject} />${e.from && e.from !== e.to ? html` <span class="turn">${e.from} → ${e.to}</span>` : ''}${e.node && e.node !== e.subject ? html` on <${HostLink} name=${e.node} />` : ''}: ${said(e.why)}${e.by ? html` <span class="faint">(by ${e.by})</span>` : ''}${codeOf(e.why) ? html` <a class="code" href="#/events?code=${codeOf(e.why)}">${codeOf(e.why)}</a>` : ''}</div></li>`)}</ol>`;
}

export function Events() {
  const { query } = route();
  const [code, node, service, text] = ['code', 'node', 'service', 'q'].map((k) => query.get(k) || '');
  const newest = store.events.length ? store.events[store.events.length - 1].index : 0;
  const filter = new URLSearchParams({ code, node, service, limit: '2000' });
  const older = useAsked((signal) => (code || node || service ? get(`/v1/events?${filter}`, signal) : Promise.resolve(null)), [filter.toString(), newest]);
  const list = code || node || service ? (older.answer ? older.answer.events : []) : store.events;
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (e) => { const t = JSON.stringify(e).toLowerCase(); return words.every((w) => t.includes(w)); };
  const found = list.filter(fits);
  const field = (key, title, value) => html`<label>${title} <input type="search" value=${value} onChange=${(e) => go({ [key]: e.target.value.trim() })} onInput=${key === 'q' ? (e) => go({ q: e.target.value }) : undefined} /></label>`;
  return html`<h1>Events</h1>
    <div class="tools">${field('q', 'Text', text)}${field('code', 'Code', code)}${field('node', 'Host', node)}${field('service', 'Service', service)}
      <span class="count" role="status">${found.length}</span></div>
    <${Problem} state=${older} />
    <${EventList} events=${found.slice(-300).reverse()} />
    ${found.length > 300 && html`<p class="faint">The newest 300 are shown; filter for others. The whole timeline: <code>clustat --events</code></p>`}`;
}

export function Fencing() {
  const fence = useAsked((signal) => get('/v1/fence', signal), [], 5000);
  const history = useAsked((signal) => get('/v1/fence/history', signal), [], 15000);
  const f = fence.answer;
  const use = (r) => (r ? `${r.outcome || r.state || 'ended'}${r.at || r.ended || r.begun ? `, ${stamp(r.ended || r.at || r.begun)}` : ''}` : 'never');
  return html`<h1>Fencing</h1>
    <${Problem} state=${fence} />
    ${store.head.disarmed && html`<p class="problem">Nothing is fenced at present: ${store.head.disarmed}</p>`}
    ${f && f.drill && html`<p class="problem">A drill of ${f.drill.node} is under way.</p>`}
    ${f && f.nodes.map((n) => html`<section class="card"><h2><${HostLink} name=${n.node} /> <${State} level=${n.unprotected ? 'warn' : 'ok'}>${n.unprotected ? `unprotected: ${n.unprotected}` : 'can be fenced'}<//></h2>
      ${n.open && html`<p class="problem">It is being fenced: ${said(n.why)}</p>`}
      <div class="table"><table><caption class="hidden">Fence devices of ${n.node}</caption><thead><tr><th scope="col">Device</th><th scope="col">Level</th><th scope="col">Last answer</th><th scope="col">Asked</th><th scope="col">Proven its own</th></tr></thead>
      <tbody>${(n.devices || []).map((d) => html`<tr><td data-label="Device">${d.name} <span class="faint">${d.driver} ${d.address}</span></td><td data-label="Level">${d.level + 1}</td>
        <td data-label="Last answer"><${State} level=${d.problem ? 'bad' : d.power && d.power !== 'unknown' ? 'ok' : 'unknown'}>${d.problem || (d.power ? `power ${d.power}` : 'not asked yet')}<//></td>
        <td data-label="Asked">${d.checked && clock(d.checked) ? `${clock(d.checked)} by ${d.by}` : ''}</td><td data-label="Proven its own">${stamp(d.proven) || 'by no drill'}</td></tr>`)}</tbody></table></div>
      <p class="faint">Last drill: ${n.lastDrill ? stamp(n.lastDrill.ended || n.lastDrill.at || n.lastDrill.began) || 'see clusterd fence history' : 'never'}. Last use: ${use(n.lastUse)}.</p></section>`)}
    <h2>History</h2>
    <${Problem} state=${history} />
    <${EventList} events=${store.events.filter((e) => codeOf(e.why).startsWith('fence') || ['fencing', 'fenced'].includes(e.to)).slice(-50).reverse()} />`;
}

// Waterfall draws when each phase of a failover was reached.
function Waterfall({ failover }) {
  const { moments, took } = failover;
  const height = 22 * moments.length;
  const x = (after) => 2 + (after / Math.max(took, 1)) * 440;
  return html`<svg class="waterfall" viewBox="0 0 640 ${height}" role="img" aria-label=${moments.map((m) => `${m.what} after ${span(m.after)}`).join(', ')}>
    ${moments.map((m, i) => html`<g><rect x=${x(i ? moments[i - 1].after : 0)} y=${22 * i + 5} width=${Math.max(2, x(m.after) - x(i ? moments[i - 1].after : 0))} height="12" rx="2" />
      <text x=${x(m.after) + 6} y=${22 * i + 15}>${m.what}, ${span(m.after)}</text></g>`)}</svg>`;
}

export function Failovers() {
  const found = [...store.events].reverse().map(failoverOf).filter(Boolean);
  const [shown, setShown] = useState(20);
  return html`<h1>Failovers</h1><p>Each bar goes from one measured moment to the next, from the last sign of life of the lost host on.</p>
    ${!found.length && html`<p class="none">The timeline tells of none.</p>`}
    ${found.slice(0, shown).map((f) => html`<section class="card" key=${f.event.index + f.event.subject}><h2><${ServiceLink} name=${f.event.subject} /> on <${HostLink} name=${f.event.node} /> after ${span(f.took)}</h2>
      <p class="faint">${stamp(f.event.at)}: ${said(f.event.why)}</p><${Waterfall} failover=${f} /></section>`)}
    ${found.length > shown && html`<p><button type="button" onClick=${() => setShown(shown + 50)}>Show more (${found.length - shown})</button></p>`}`;
}

function MoveTable({ moves }) {
  const columns = [
    { key: 'at', title: 'Began', value: (m) => m.at, cell: (m) => stamp(m.at) },
    { key: 'service', title: 'Service', value: (m) => m.service, cell: (m) => html`<${ServiceLink} name=${m.service} />` },
    { key: 'from', title: 'From', value: (m) => m.from, cell: (m) => html`<${HostLink} name=${m.from} />` },
    { key: 'to', title: 'To', value: (m) => m.to, cell: (m) => html`<${HostLink} name=${m.to} />` },
    { key: 'end', title: 'End', value: (m) => (m.arrived ? 'arrived' : `undone: ${said(m.undone)}`), cell: (m) => html`<${State} level=${m.arrived ? 'ok' : 'warn'}>${m.arrived ? 'arrived' : `undone: ${said(m.undone)}`}<//>` },
    { key: 'total', title: 'Took', number: true, value: (m) => m.total || 0, cell: (m) => (m.total ? span(m.total / 1e6) : 'not measured') },
    { key: 'downtime', title: 'Downtime', number: true, value: (m) => m.downtime || 0, cell: (m) => (m.downtime ? span(m.downtime / 1e6) : 'not measured') },
    { key: 'by', title: 'By', value: (m) => m.by || 'a rule' },
  ];
  return html`<${Table} id="m" label="Live moves" columns=${columns} first="-at" rows=${moves.map((m, i) => ({ ...m, key: `${m.service}${m.index}${i}` }))} />`;
}

export function Moves() {
  const moving = services().filter((s) => s.stateText === 'migrating');
  const moves = useAsked((signal) => get('/v1/moves', signal), [moving.map((s) => s.name).join()], 15000);
  return html`<h1>Live moves</h1><h2>Under way</h2>
    ${!moving.length && html`<p class="none">Nothing moves.</p>`}
    ${moving.map((s) => html`<section class="card"><h3><${ServiceLink} name=${s.name} />: ${s.owner} → ${s.target || '?'}</h3>
      <p>${s.progress ? s.progress.phase : 'its progress is not known here'}, for ${since(s.since)}</p><${Progress} service=${s} /></section>`)}
    <h2>Ended</h2><${Problem} state=${moves} />${moves.answer && html`<${MoveTable} moves=${moves.answer.moves} />`}`;
}

export function Doctor() {
  const [round, setRound] = useState(0);
  const report = useAsked((signal) => (may('admin') ? get('/v1/doctor', signal) : Promise.resolve(null)), [round]);
  if (!may('admin')) return html`<h1>Doctor</h1><${NotForYou} />`;
  const levels = { ok: 'ok', warning: 'warn', error: 'bad', unknown: 'unknown' };
  const columns = [
    { key: 'severity', title: 'Finding', value: (f) => ranks[levels[f.severity] || 'unknown'], text: (f) => f.severity, cell: (f) => html`<${State} level=${levels[f.severity] || 'unknown'}>${f.severity}<//>` },
    { key: 'node', title: 'Host', value: (f) => f.node, cell: (f) => html`<${HostLink} name=${f.node} />` },
    { key: 'what', title: 'What', value: (f) => f.what },
    { key: 'text', title: 'Says', value: (f) => `${f.text} ${f.next || ''}`, cell: (f) => html`${f.text}${f.next ? html`<div class="next"><${Told} text=${f.next} /></div>` : ''}` },
  ];
  return html`<h1>Doctor</h1><p><button type="button" onClick=${() => setRound(round + 1)}>Examine again</button> ${report.answer && html`<span class="faint">as of ${stamp(report.answer.at)}</span>`}</p>
    <${Problem} state=${report} />
    ${!report.answer && !report.problem && html`<p class="none">Every node is being asked.</p>`}
    ${report.answer && html`<${Table} label="Findings" columns=${columns} rows=${report.answer.findings.map((f, i) => ({ ...f, key: i }))} />`}`;
}
