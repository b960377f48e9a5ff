// The page: who is logged in, what is old, the way around, and the view that the address names.
import { html, render, useState, useEffect, useRef } from './preact.js';
import { store, watch, enter, leave, stale, age, may } from './store.js';
import { serviceLook, nodeLook, stamp, span, ranks } from './words.js';
import { route, State } from './kit.js';
import { Overview, Hosts, Host, Services, Service, Events, Fencing, Failovers, Moves, Doctor } from './views.js';
import { WhatIf, Alerts } from './questions.js';
import { Paper } from './paper.js';

const views = {
  overview: ['Overview', Overview], hosts: ['Hosts', Hosts], services: ['VMs and services', Services], events: ['Events', Events],
  fencing: ['Fencing', Fencing], failovers: ['Failovers', Failovers], moves: ['Live moves', Moves], whatif: ['What if', WhatIf], alerts: ['Alerts', Alerts], document: ['Document', Paper], doctor: ['Doctor', Doctor],
};
const ofOne = { host: Host, service: Service };
const forAdmins = ['document', 'doctor'];

function Others() {
  const others = Object.entries((store.visit && store.visit.others) || {});
  if (!others.length) return '';
  return html`<span>Other nodes serve this page too; log in there with a link made there (<code>clusterd web login</code>): ${others.map(([name, url], i) => html`${i ? ', ' : ''}<a href=${url} rel="noreferrer">${name}</a>`)}</span>`;
}

// Old says that what is shown may no longer be so, and since when.
function Old() {
  const why = stale();
  if (!why) return '';
  const node = store.visit.node;
  const asOf = `What is shown is as of ${stamp(store.at)}`;
  return html`<div class="old" role="alert"><${State} level="unknown" fresh>
    ${why === 'silent' && html`<strong>${node} does not answer.</strong> ${asOf}, ${span(1000 * Math.max(1, age()))} old, and may no longer be so. `}
    ${why === 'problem' && html`<strong>${node} cannot say how the cluster is:</strong> ${store.problem} ${asOf}. `}
    ${why === 'quorum' && html`<strong>${node} sees no quorum.</strong> What is shown is what it knew last; how hosts and services are is not known. `}
    <//> <${Others} /></div>`;
}

// Search finds hosts and services by parts of their names; the key / goes to it.
function Search() {
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const field = useRef();
  useEffect(() => {
    const key = (e) => {
      const typing = ['INPUT', 'TEXTAREA', 'SELECT'].includes(e.target.tagName);
      if (e.key === '/' && !typing && !e.ctrlKey && !e.metaKey && !e.altKey) { e.preventDefault(); field.current.focus(); }
    };
    addEventListener('keydown', key);
    return () => removeEventListener('keydown', key);
  }, []);
  const wanted = text.toLowerCase();
  const found = wanted ? [
    ...[...store.nodes.values()].filter((n) => n.name.toLowerCase().includes(wanted)).map((n) => ({ href: `#/host/${encodeURIComponent(n.name)}`, name: n.name, look: nodeLook(n) })),
    ...[...store.services.values()].filter((s) => s.name.toLowerCase().includes(wanted)).map((s) => ({ href: `#/service/${encodeURIComponent(s.name)}`, name: s.name, look: serviceLook(s) })),
  ].slice(0, 12) : [];
  const choose = (one) => { location.hash = one.href; setText(''); field.current.blur(); };
  const keys = (e) => {
    if (e.key === 'ArrowDown') { setAt(Math.min(at + 1, found.length - 1)); e.preventDefault(); }
    if (e.key === 'ArrowUp') { setAt(Math.max(at - 1, 0)); e.preventDefault(); }
    if (e.key === 'Enter' && found[at]) { e.preventDefault(); choose(found[at]); }
    if (e.key === 'Escape') { setText(''); field.current.blur(); }
  };
  return html`<div class="search" role="search">
    <label for="search" class="hidden">Search hosts and services</label>
    <input id="search" ref=${field} type="search" placeholder="Search  /" autocomplete="off" role="combobox" aria-expanded=${found.length > 0} aria-controls="found" aria-autocomplete="list"
      aria-activedescendant=${found[at] ? `found-${at}` : undefined} value=${text} onInput=${(e) => { setText(e.target.value); setAt(0); }} onKeyDown=${keys} />
    <ul id="found" role="listbox" aria-label="Found" hidden=${!wanted}>${found.map((one, i) => html`<li id="found-${i}" role="option" aria-selected=${i === at} onMouseDown=${(e) => { e.preventDefault(); choose(one); }}>${one.name} <${State} level=${one.look.level}>${one.look.text}<//></li>`)}
      ${wanted && !found.length && html`<li role="option" aria-selected="false" aria-disabled="true">No host or service has that in its name.</li>`}</ul></div>`;
}

const themes = ['auto', 'light', 'dark'];
function themeNow() { const t = localStorage.getItem('theme'); return themes.includes(t) ? t : 'auto'; }
function show(theme) { document.documentElement.dataset.theme = theme; }

function Theme() {
  const [theme, setTheme] = useState(themeNow());
  return html`<label class="theme"><span aria-hidden="true">Colours</span> <select aria-label="Colours" value=${theme} onChange=${(e) => { localStorage.setItem('theme', e.target.value); setTheme(e.target.value); show(e.target.value); }}>
    ${themes.map((t) => html`<option value=${t}>${t}</option>`)}</select></label>`;
}

function Login() {
  return html`<main class="login" id="main"><h1>clusterd</h1>${store.why && html`<p class="problem" role="alert">${store.why}</p>`}
    <p>You log in with a link. Make one on the node whose page this is:</p>
    <pre tabindex="0">clusterd web login                  look only
clusterd web login --role operator  move, start, stop, drain
clusterd web login --role admin     all that an administrator may</pre>
    <p>It opens this page, lets one browser in, once, and is good for 5 minutes. Links of other nodes are good there only.</p></main>`;
}

function Page() {
  const [, draw] = useState(0);
  useEffect(() => {
    let n = 0;
    const again = () => draw((n += 1));
    const stop = watch(again);
    addEventListener('hashchange', again);
    return () => { stop(); removeEventListener('hashchange', again); };
  }, []);
  const { view, name } = route();
  const title = ofOne[view] ? name : (views[view] || ['Not there'])[0];
  useEffect(() => { document.title = `${title} - ${store.head ? store.head.cluster : 'clusterd'}`; scrollTo(0, 0); }, [view, name, Boolean(store.head)]);
  if (!store.asked) return html`<main class="login" id="main"><h1>clusterd</h1><p role="status">One moment…</p></main>`;
  if (!store.visit) return html`<${Login} />`;
  const One = ofOne[view];
  const Shown = views[view] && views[view][1];
  return html`<a class="skip" href="#main" onClick=${(e) => { e.preventDefault(); document.getElementById('main').focus(); }}>To the content</a>
    <header><div class="top"><a class="name" href="#/overview">clusterd${store.head ? html` <strong>${store.head.cluster}</strong>` : ''}</a><${Search} /><${Theme} />
      <span class="visit">${store.visit.name}, ${store.visit.role}, at ${store.visit.node}</span><button type="button" onClick=${leave}>Log out</button></div>
      <nav aria-label="Views">${Object.entries(views).filter(([key]) => !forAdmins.includes(key) || may('admin')).map(([key, [words]]) => html`<a href="#/${key}" aria-current=${key === view || `${view}s` === key ? 'page' : undefined}>${words}</a>`)}</nav></header>
    <${Old} />
    <main id="main" tabindex="-1" class=${stale() ? 'stale' : ''}>
      ${!store.head ? html`<p role="status">${store.problem || store.why || 'Asking how the cluster is…'}</p>` : One ? html`<${One} key=${name} name=${name} />` : Shown ? html`<${Shown} />` : html`<h1>Not there</h1><p>The page has no view ${view}.</p>`}
    </main>
    <footer><span>${store.head ? `As of ${stamp(store.at)}, heard ${age() < 2 ? 'now' : `${span(1000 * age())} ago`}` : ''}</span> ${store.head && store.head.simulated && html`<span>Hypervisor and fence devices are simulated.</span>`} <span>Keys: / search</span></footer>`;
}

show(themeNow());
render(html`<${Page} />`, document.getElementById('page'));
enter();
