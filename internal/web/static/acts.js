// What an operator can have done. Each act shows first what would come of it, by the rules that
// would decide it; the node decides whether it may be done, and this page only what it offers.
import { html, useState, useEffect } from './preact.js';
import { store, get, post, may } from './store.js';
import { said, span } from './words.js';
import { Dialog, Told, State } from './kit.js';

const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');

// Foreseen shows the answer of a rehearsal.
function Foreseen({ answer }) {
  if (!answer) return html`<p class="faint" role="status">Asking what would happen…</p>`;
  const f = answer.foresight;
  return html`<div class="foreseen">
    ${said(answer.refused) ? html`<p class="problem">It would be refused: ${said(answer.refused)}</p>` : answer.code ? html`<p class="problem">It would fail: ${answer.text} ${said(answer.why)}</p>` : html`<p>What would happen:</p>`}
    <ol>${(answer.events || []).map((e) => html`<li>${e.subject}${e.from !== e.to && e.to ? ` ${e.from || ''} → ${e.to}` : ''}${e.node ? ` on ${e.node}` : ''}: ${said(e.why)}</li>`)}</ol>
    ${f && html`<p>${f.ready ? `The target can take it: ${f.target}.` : f.target ? html`<${State} level="bad">The target cannot take it: ${f.target}<//>` : ''} ${f.forecast && f.forecast.ends ? `About ${span(f.forecast.total / 1e6)}, paused ${span(f.forecast.downtime / 1e6)}.` : ''} ${f.silent ? html`<span class="faint">${f.silent}</span>` : ''}</p>`}
    ${(answer.notes || []).map((n) => html`<p class="faint">${n.subject}: ${said(n.why)} <${Told} text=${said(n.next)} /></p>`)}
    ${answer.remark && html`<p class="problem">${answer.remark}</p>`}</div>`;
}

// follows waits for the end of a request, and tells how it goes.
async function follows(id, tell) {
  for (let misses = 0; misses < 5;) {
    try {
      const reply = await get(`/v1/requests/${id}?wait=10s`);
      misses = 0;
      if (reply.done) return reply;
      tell(reply.progress ? `under way: ${reply.progress.phase}` : 'under way');
    } catch (problem) {
      misses += 1;
      tell(`not known: ${problem.message}`);
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
  return { code: 1, text: 'The outcome is not known: the node no longer answers. See the service’s state.' };
}

// Ask is the dialog of one act on a service.
function Ask({ service, act, candidates, onClose }) {
  const targets = candidates.filter((c) => !c.here);
  const [chosen, setNode] = useState('');
  const best = targets.find((c) => c.order) || targets[0]; // there is none while the node is being asked
  const node = act.target ? chosen || (best ? best.node : '') : '';
  const [reason, setReason] = useState('');
  const [answer, setAnswer] = useState(null);
  const [state, setState] = useState('');
  const [sent, setSent] = useState(false);
  const [typed, setTyped] = useState('');
  const request = (dry) => ({ id: newId(), op: act.op, service: service.name, ...(node ? { node } : {}), ...(reason ? { reason } : {}), ...(dry ? { dryRun: true } : {}) });
  useEffect(() => {
    let current = true;
    setAnswer(null);
    if (act.target && !node) return undefined;
    post('/v1/requests', request(true)).then((a) => current && setAnswer(a), (p) => current && setAnswer({ refused: p.message }));
    return () => { current = false; };
  }, [node]);
  const refused = answer && (said(answer.refused) || answer.code);
  const send = async (event) => {
    event.preventDefault();
    setSent(true);
    setState('asked');
    try {
      const asked = request(false);
      let reply = await post('/v1/requests', asked);
      if (!reply.done) reply = await follows(asked.id, setState);
      setState(reply.code === 0 ? `Done.${reply.owner ? ` It is on ${reply.owner}.` : ''}` : `${reply.text} ${said(reply.why)}`);
    } catch (problem) { setState(problem.message); setSent(false); }
  };
  return html`<${Dialog} title=${`${act.title} ${service.name}`} onClose=${onClose}><form onSubmit=${send}>
    ${act.target && html`<fieldset disabled=${sent}><legend>To</legend>${targets.map((c) => html`<label class="choice"><input type="radio" name="node" value=${c.node} checked=${c.node === node} onChange=${() => setNode(c.node)} /> ${c.node} <span class="faint">${c.order ? '' : 'not now: '}${said(c.why)}</span></label>`)}</fieldset>`}
    <${Foreseen} answer=${answer} />
    <p><label>Reason, for the timeline <input type="text" maxlength="500" value=${reason} disabled=${sent} onInput=${(e) => setReason(e.target.value)} /></label></p>
    ${act.named && html`<p><label>Type ${service.name} to confirm <input type="text" autocomplete="off" value=${typed} disabled=${sent} onInput=${(e) => setTyped(e.target.value)} /></label></p>`}
    ${state && html`<p role="status"><strong>${state}</strong></p>`}
    <p class="buttons"><button type="submit" class="do" disabled=${sent || !answer || Boolean(refused) || (act.named && typed !== service.name)}>${act.title}</button>
      <button type="button" onClick=${onClose}>${sent ? 'Close' : 'Cancel'}</button></p></form><//>`;
}

const acts = {
  migrate: { op: 'migrate', title: 'Move', target: true }, relocate: { op: 'relocate', title: 'Relocate (stop, start elsewhere)', target: true },
  enable: { op: 'enable', title: 'Start' }, restart: { op: 'restart', title: 'Restart' }, disable: { op: 'disable', title: 'Stop', named: true },
  freeze: { op: 'freeze', title: 'Freeze' }, unfreeze: { op: 'unfreeze', title: 'Thaw' },
};
function offered(service) {
  const list = [];
  const frozen = service.flagsText.includes('Z');
  if (service.stateText === 'started') list.push(service.name.startsWith('vm:') ? acts.migrate : acts.relocate, acts.restart, acts.disable);
  if (['disabled', 'stopped', 'failed'].includes(service.stateText)) list.push(acts.enable);
  if (service.stateText === 'failed') list.push(acts.disable);
  list.push(frozen ? acts.unfreeze : acts.freeze);
  return list;
}

export function ServiceActs({ service, candidates }) {
  const [act, setAct] = useState(null);
  if (!may('operator')) return '';
  return html`<div class="acts" role="group" aria-label="What to do">${offered(service).map((a) => html`<button type="button" onClick=${() => setAct(a)}>${a.title}…</button>`)}</div>
    ${act && html`<${Ask} service=${service} act=${act} candidates=${candidates} onClose=${() => setAct(null)} />`}`;
}

const orders = { drain: 'Drain', standby: 'Standby', maintenance: 'Maintenance' };
const meanings = {
  drain: 'Empties the host of its services.', standby: 'It stays a member and takes no services; those on it move away live.',
  maintenance: 'Empties it; after that it may be switched off without being fenced.', return: 'Ends the order; what was moved away for it comes back.',
};

function Order({ node, order, onClose }) {
  const [plan, setPlan] = useState(null);
  const [reason, setReason] = useState('');
  const [typed, setTyped] = useState('');
  const [state, setState] = useState('');
  const [sent, setSent] = useState(false);
  useEffect(() => {
    if (order === 'return') { setPlan({ steps: [] }); return; }
    get(`/v1/nodes/${encodeURIComponent(node.name)}/plan?order=${order}`).then(setPlan, (p) => setPlan({ problem: p.message, steps: [] }));
  }, []);
  const named = order !== 'return';
  const send = async (event) => {
    event.preventDefault();
    setSent(true);
    try {
      const reply = await post('/v1/nodes', { id: newId(), op: order, node: node.name, ...(reason ? { reason } : {}) });
      setState(`Ordered. ${said(reply.why)}`);
    } catch (problem) { setState(problem.message); setSent(false); }
  };
  const title = order === 'return' ? 'Return' : orders[order];
  return html`<${Dialog} title=${`${title} ${node.name}`} onClose=${onClose}><form onSubmit=${send}>
    <p>${meanings[order]}</p>
    ${!plan && html`<p class="faint" role="status">Asking what would happen…</p>`}
    ${plan && plan.problem && html`<p class="problem">${plan.problem}</p>`}
    ${plan && named && !plan.problem && html`<p>${(plan.steps || []).length ? 'What would happen:' : 'No service is on it.'}</p><ol>${(plan.steps || []).map((s) => html`<li>${s.service}: ${s.method === 'live' ? `moves live to ${s.target}` : `${s.method || 'stays'}${s.target ? ` to ${s.target}` : ''}`} <span class="faint">${said(s.why)}</span></li>`)}</ol>`}
    ${plan && plan.remark && html`<p class="problem">${plan.remark}</p>`}
    <p><label>Reason, for the timeline <input type="text" maxlength="500" value=${reason} disabled=${sent} onInput=${(e) => setReason(e.target.value)} /></label></p>
    ${named && html`<p><label>Type ${node.name} to confirm <input type="text" autocomplete="off" value=${typed} disabled=${sent} onInput=${(e) => setTyped(e.target.value)} /></label></p>`}
    ${state && html`<p role="status"><strong>${state}</strong></p>`}
    <p class="buttons"><button type="submit" class="do" disabled=${sent || !plan || Boolean(plan.problem) || (named && typed !== node.name)}>${title}</button>
      <button type="button" onClick=${onClose}>${sent ? 'Close' : 'Cancel'}</button></p></form><//>`;
}

export function HostActs({ node }) {
  const [order, setOrder] = useState('');
  if (!may('operator') || node.witness) return '';
  return html`<div class="acts" role="group" aria-label="What to do">
    ${node.order ? html`<button type="button" onClick=${() => setOrder('return')}>Return…</button>` : Object.keys(orders).map((o) => html`<button type="button" onClick=${() => setOrder(o)}>${orders[o]}…</button>`)}</div>
    ${order && html`<${Order} node=${node} order=${order} onClose=${() => setOrder('')} />`}`;
}
