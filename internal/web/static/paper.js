// The document: its text, what it changed, its history, and the way to another version. A change is
// checked and shown first, by what would put it into force.
import { html, useState, useRef } from './preact.js';
import { store, get, post, may } from './store.js';
import { said, stamp } from './words.js';
import { useAsked, Problem, Dialog, route, go } from './kit.js';

export function NotForYou() { return html`<p class="none">Only an administrator may see this. Make a link with <code>clusterd web login --role admin</code>.</p>`; }

// faultsOf are the lines of a refusal, each with its place in the text where it names one.
function faultsOf(problem) {
  return (problem.details || []).map((text) => {
    const place = /^[^:]+:(\d+):(?:(\d+):)? ?(.*)$/s.exec(text);
    return place ? { line: Number(place[1]), text: place[3] } : { line: 0, text };
  });
}

// Plan shows what a change would do.
function Plan({ plan }) {
  const effects = [...new Set((plan.plan || []).map((e) => e.effect))];
  return html`<div role="status">
    ${plan.refused && html`<p class="problem">The cluster would refuse it: ${plan.refused}</p>`}
    ${!effects.length && html`<p>It changes nothing.</p>`}
    ${effects.map((effect) => html`<p><strong>${effect}</strong></p><ul>${plan.plan.filter((e) => e.effect === effect).map((e) => html`<li>${e.text}</li>`)}</ul>`)}
    ${(plan.follows || []).length > 0 && html`<p><strong>what the cluster does then</strong></p><ol>${plan.follows.map((e) => html`<li>${e.subject}${e.from !== e.to && e.to ? ` ${e.from || ''} → ${e.to}` : ''}${e.node ? ` on ${e.node}` : ''}: ${said(e.why)}</li>`)}</ol>`}
    ${(plan.waits || []).map((n) => html`<p class="faint">${n.subject}: ${said(n.why)}</p>`)}
    ${plan.remark && html`<p class="problem">${plan.remark}</p>`}</div>`;
}

// takesAway reports whether a change removes something: then the cluster's name is typed.
const takesAway = (plan) => (plan.plan || []).some((e) => / is removed/.test(e.text) || e.effect === 'removed');

// Change asks for a plan and puts it into force; ask sends the one or the other.
function Change({ plan, ask, title, onDone }) {
  const [reason, setReason] = useState('');
  const [typed, setTyped] = useState('');
  const [state, setState] = useState('');
  const [sent, setSent] = useState(false);
  const named = takesAway(plan);
  const send = async (event) => {
    event.preventDefault();
    setSent(true);
    try {
      const reply = await ask(plan.version, reason);
      setState(`Version ${reply.version} is in force.`);
      onDone();
    } catch (problem) { setState([problem.message, ...(problem.details || [])].join('; ')); setSent(false); }
  };
  return html`<form onSubmit=${send}><${Plan} plan=${plan} />
    <p><label>Reason, for the timeline and the history <input type="text" maxlength="500" value=${reason} disabled=${sent} onInput=${(e) => setReason(e.target.value)} /></label></p>
    ${named && html`<p><label>It takes something away. Type ${store.head.cluster} to confirm <input type="text" autocomplete="off" value=${typed} disabled=${sent} onInput=${(e) => setTyped(e.target.value)} /></label></p>`}
    ${state && html`<p role="status"><strong>${state}</strong></p>`}
    <p class="buttons"><button type="submit" class="do" disabled=${sent || Boolean(plan.refused) || !(plan.plan || []).length || (named && typed !== store.head.cluster)}>${title}</button></p></form>`;
}

// Editor is the text with its faults at their lines. What was planned is what is put into force: an
// answer about another text than the one that stands here now is dropped. A draft outlives the view
// and the visit, until it is put into force or given up.
function Editor({ draft, onDone }) {
  const { base } = draft;
  const [text, setText] = useState(draft.text);
  const [plan, setPlan] = useState(null); // with the text that it is of
  const [problem, setProblem] = useState(null);
  const [asking, setAsking] = useState(false);
  const field = useRef();
  const type = (value) => { draft.text = value; setText(value); setPlan(null); setProblem(null); };
  const check = async () => {
    const asked = draft.text;
    const current = (take) => (value) => { if (draft.text === asked) take(value); };
    setAsking(true); setPlan(null); setProblem(null);
    await post('/v1/config', { base, text: asked, dryRun: true }).then(current((answer) => setPlan({ answer, text: asked })), current(setProblem));
    setAsking(false);
  };
  const to = (line) => {
    const lines = text.split('\n');
    const from = lines.slice(0, line - 1).join('\n').length + (line > 1 ? 1 : 0);
    const end = text.indexOf('\n', from);
    field.current.focus();
    field.current.setSelectionRange(from, end < 0 ? text.length : end);
    field.current.scrollTop = Math.max(0, (line - 5) * (field.current.scrollHeight / lines.length));
  };
  const leave = () => { if (text === draft.was || confirm('What you typed is thrown away.')) onDone(); };
  return html`<label for="draft">Text for version ${base + 1}</label>
    <textarea id="draft" ref=${field} class="draft" rows="24" spellcheck="false" value=${text} onInput=${(e) => type(e.target.value)}></textarea>
    <p class="buttons"><button type="button" onClick=${check} disabled=${asking}>Check</button> <button type="button" onClick=${leave}>Leave it as it is</button></p>
    ${store.head.configVersion !== base && html`<p class="problem">Version ${store.head.configVersion} is in force meanwhile; what is typed here was made from version ${base} and will be refused. Copy it, and edit anew.</p>`}
    ${problem && html`<div class="problem" role="alert">${problem.message}<ul>${faultsOf(problem).map((f) => html`<li>${f.line ? html`<button type="button" class="line" onClick=${() => to(f.line)}>line ${f.line}</button> ` : ''}${f.text}</li>`)}</ul></div>`}
    ${plan && html`<h2>What it would do</h2><${Change} key=${plan.text} plan=${plan.answer} title="Put it into force" onDone=${onDone} ask=${(at, reason) => post('/v1/config', { base: at, text: plan.text, reason })} />`}`;
}

// Back is the way to an earlier version, as a new one.
function Back({ version, base, onClose }) {
  const plan = useAsked(() => post('/v1/config/rollback', { base, version, dryRun: true }), []);
  return html`<${Dialog} title=${`Bring version ${version} back`} onClose=${onClose}><p>It becomes version ${base + 1}. Passwords that are in force now stay.</p><${Problem} state=${plan} />
    ${plan.answer && html`<${Change} plan=${plan.answer} title="Bring it back" onDone=${() => go({ version: '' })} ask=${(at, reason) => post('/v1/config/rollback', { base: at, version, reason })} />`}
    <p><button type="button" onClick=${onClose}>Close</button></p><//>`;
}

export function Paper() {
  const { query } = route();
  const shown = query.get('version') || '';
  const version = store.head.configVersion;
  const [, draw] = useState(0);
  const setDraft = (draft) => { store.draft = draft; draw((n) => n + 1); };
  const [back, setBack] = useState(false);
  const ask = (path) => (signal) => (may('admin') ? get(path, signal) : Promise.resolve(null));
  const text = useAsked(ask(`/v1/config${shown ? `?version=${shown}` : ''}`), [version, shown]);
  const history = useAsked(ask('/v1/config/history'), [version]);
  const before = Number(shown || version) - 1;
  const diff = useAsked((signal) => (may('admin') && before > 0 ? get(`/v1/config/diff?from=${before}&to=${before + 1}`, signal) : Promise.resolve(null)), [version, shown]);
  if (!may('admin')) return html`<h1>Document</h1><${NotForYou} />`;
  if (store.draft) return html`<h1>Document, version ${store.draft.base}</h1><p class="faint">Passwords are masked; a mask stands for what is in force. Fence agents and resource agents are not asked here, as <code>clusterd config apply</code> does.</p>
    <${Editor} draft=${store.draft} onDone=${() => setDraft(null)} />`;
  const earlier = shown && Number(shown) !== version;
  return html`<h1>Document, version ${shown || version}</h1><p class="faint">Passwords are masked.</p>
    <div class="acts" role="group" aria-label="What to do">${!earlier && text.answer && html`<button type="button" onClick=${() => setDraft({ base: text.answer.version, text: text.answer.text, was: text.answer.text })}>Edit…</button>`}
      ${earlier && html`<button type="button" onClick=${() => setBack(true)}>Bring it back…</button>`}</div>
    ${back && html`<${Back} version=${Number(shown)} base=${version} onClose=${() => setBack(false)} />`}
    <h2>What this version changed</h2><${Problem} state=${diff} />
    ${diff.answer ? html`<ul>${(diff.answer.changes || []).map((c) => html`<li>${c}</li>`)}</ul>` : before < 1 && html`<p class="none">It is the first.</p>`}
    <h2>History</h2><${Problem} state=${history} />
    ${history.answer && html`<ol class="events">${history.answer.revisions.slice().reverse().map((r) => html`<li><time datetime=${r.at}>${stamp(r.at)}</time><div><a href="#/document?version=${r.version}">version ${r.version}</a>: ${r.summary || r.reason} <span class="faint">(by ${r.by})</span></div></li>`)}</ol>`}
    <h2>Text</h2><${Problem} state=${text} />${text.answer && html`<pre class="document" tabindex="0" role="region" aria-label="the document's text">${text.answer.text}</pre>`}`;
}
