// What the page knows: its visit, the newest picture of the cluster, and how old that is.
// The picture comes by one stream; nothing here guesses what the node did not say.

export const store = {
  visit: null,        // who is logged in; null before, or after, a visit
  asked: false,       // whether the node was asked who is logged in
  link: 'opening',    // opening, live, lost
  why: '',            // why the stream is not live, or the login failed
  problem: '',        // why the node could not be asked
  at: null,           // the node's clock at the newest picture
  heard: 0,           // this browser's clock when the node was last heard
  head: null, nodes: new Map(), services: new Map(), events: [],
};

const watchers = new Set();
let due = false;

// changed has every watcher draw anew, once per frame.
export function changed() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => { due = false; watchers.forEach((w) => w()); });
}
export function watch(w) { watchers.add(w); return () => watchers.delete(w); }

// Failure is an answer that says no; its message is for people.
export class Failure extends Error {
  constructor(status, body) { super(body.message || `answer ${status}`); this.status = status; this.code = body.code; this.details = body.details; }
}

async function answerOf(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) {
    if (response.status === 401) ended();
    throw new Failure(response.status, body);
  }
  return body;
}
export async function get(path, signal) { return answerOf(await fetch(path, { signal })); }
export async function post(path, body) {
  const headers = { 'Content-Type': 'application/json' };
  if (store.visit) headers['X-Clusterd-Page'] = store.visit.csrf;
  return answerOf(await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) }));
}

// The last visit's other nodes are kept, so that the page can name them after its node is gone.
function began(visit) {
  store.visit = visit; store.asked = true; store.why = '';
  changed();
  follow();
}
function ended() {
  if (store.visit) store.why = 'Your visit is over. Log in again.';
  store.visit = null; store.asked = true;
  changed();
}

// enter begins with a login link, or goes on with the visit that there is.
export async function enter() {
  const secret = /^#login=(\w+)$/.exec(location.hash);
  try {
    if (secret) {
      history.replaceState(null, '', '/'); // the secret stays in no history
      began(await post('/page/login', { secret: secret[1] }));
      return;
    }
    began(await get('/page/visit'));
  } catch (problem) {
    if (!(problem instanceof Failure)) { store.why = `The node does not answer: ${problem.message}`; }
    else if (problem.status !== 401) { store.why = problem.message; }
    store.visit = null; store.asked = true;
    changed();
  }
}
export async function leave() { store.draft = null; await post('/page/logout', {}).catch(() => {}); store.why = 'You are logged out.'; store.visit = null; changed(); }

const patience = 12000; // the node says every 5 s that it is there
let lastId = '';
let following = false;

// follow keeps one stream open, and goes on behind the last change it was told.
async function follow() {
  if (following) return;
  following = true;
  for (let pause = 500; store.visit; pause = Math.min(pause * 2, 5000)) {
    let why = 'the node ended the stream';
    try {
      await readStream(() => { pause = 500; });
    } catch (problem) {
      why = problem.message;
    }
    if (!store.visit) break; // why it is over stands there already
    store.why = why;
    if (store.link === 'live') store.link = 'lost';
    changed();
    await new Promise((done) => setTimeout(done, pause));
  }
  following = false;
}

async function readStream(alive) {
  const stop = new AbortController();
  let timer = setTimeout(() => stop.abort(), patience);
  try {
    const response = await fetch('/page/stream', { signal: stop.signal, headers: lastId ? { 'Last-Event-ID': lastId } : {} });
    if (!response.ok) await answerOf(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => stop.abort(), patience);
      alive();
      text += value;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        take(text.slice(0, end));
        text = text.slice(end + 2);
      }
    }
  } catch (problem) {
    if (problem.name === 'AbortError') throw new Error(`nothing came for ${patience / 1000} s`);
    throw problem;
  } finally {
    clearTimeout(timer);
  }
}

function take(block) {
  const event = { kind: 'message', data: '' };
  for (const line of block.split('\n')) {
    if (line.startsWith('id: ')) lastId = line.slice(4);
    else if (line.startsWith('event: ')) event.kind = line.slice(7);
    else if (line.startsWith('data: ')) event.data += line.slice(6);
  }
  if (!event.data) return;
  const data = JSON.parse(event.data);
  store.link = 'live'; store.heard = Date.now();
  if (event.kind === 'over') { ended(); return; }
  if (event.kind === 'beat') { store.at = data || store.at; changed(); return; }
  if (event.kind === 'whole') { store.nodes.clear(); store.services.clear(); store.events = []; store.problem = ''; }
  apply(data);
  changed();
}

const kept = 1000;

function apply(update) {
  if (update.at) store.at = update.at;
  if (update.head) store.head = update.head;
  if (update.problem !== undefined) store.problem = update.problem;
  for (const [key, row] of Object.entries(update.rows || {})) tableOf(key).set(row.name, row);
  for (const key of update.gone || []) tableOf(key).delete(key.slice(key.indexOf('/') + 1));
  if (update.events) store.events = store.events.concat(update.events).slice(-kept);
}
function tableOf(key) { return key.startsWith('node/') ? store.nodes : store.services; }

// age is how long ago the node was last heard, in seconds.
export function age() { return store.heard ? Math.max(0, Math.round((Date.now() - store.heard) / 1000)) : 0; }
// stale says why what is shown may no longer be so; empty while it is.
export function stale() {
  if (!store.head) return '';
  if (store.link !== 'live' || age() > patience / 1000) return 'silent';
  if (store.problem) return 'problem';
  return store.head.quorate ? '' : 'quorum';
}
export const may = (role) => store.visit && ['viewer', 'operator', 'admin'].indexOf(store.visit.role) >= ['viewer', 'operator', 'admin'].indexOf(role);
setInterval(changed, 1000); // ages grow
