package web

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/pki"
)

//go:embed static
var files embed.FS

// Options are what a page needs of the daemon that serves it.
type Options struct {
	// Node is this node's name.
	Node string
	// Others are the addresses of the pages of the other nodes, by name.
	Others func() map[string]string
	// Changed is closed when there is a newer State than the one at this call.
	Changed func() <-chan struct{}
	// Admit says why a peer may not use a channel; nil when it may.
	Admit func(channel pki.Channel, peer pki.Peer) error
	// Answer passes a request on to the tools' interface, from a visitor at an address.
	Answer func(w http.ResponseWriter, r *http.Request, who pki.Peer, from string)
	// Keep adds an entry to the audit trail. One that may be left out where there are too many has the
	// kind of caller whose it is; one that is kept whatever happens has none.
	Keep func(entry api.AuditEntry, braked limits.Kind)
	// Now is the wall clock; nil means time.Now.
	Now func() time.Time
}

// Front is the page of one node.
type Front struct {
	options Options
	visits  *visits
	board   *board
	handler http.Handler
	static  map[string]static
	seats   seats
	// knocks bound the tries to log in: of one address, and of all together.
	knocks, everybody limits.Pace
}

// static is a file as it is sent.
type static struct {
	text       []byte
	kind, mark string
}

// Tries to log in, on average a second and at once: of one address, and of all. A secret has 128
// bits, so this spares the node work; it does not make guessing harder.
const (
	knocksRate     = 0.5
	knocksBurst    = 10
	everybodyRate  = 20
	everybodyBurst = 60
)

// New makes a page. Nothing is served before its handler is.
func New(options Options) *Front {
	if options.Now == nil {
		options.Now = time.Now
	}
	f := &Front{options: options, visits: newVisits(options.Now), static: readStatic()}
	f.knocks = limits.Pace{Rate: knocksRate, Burst: knocksBurst, Holders: 4096, Most: time.Minute}
	f.everybody = limits.Pace{Rate: everybodyRate, Burst: everybodyBurst, Holders: 1, Most: 5 * time.Second}
	f.seats.places = newPlaces[*http.Request](mostStreams, streamsOfOne, true)
	f.board = newBoard(f.look, options.Changed)
	f.handler = f.guarded(f.routes())
	return f
}

// ServeHTTP implements http.Handler. Who asks is known by his cookie alone.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.handler.ServeHTTP(w, r) }

// Lasts reports whether a visit goes on, by the fingerprint of its peer.
func (f *Front) Lasts(peer pki.Peer) bool {
	return peer == ownEyes || f.visits.lasts(peer.Fingerprint)
}

// Invite makes the secret of a login link, good for one login until it ends, for somebody of a kind
// who asks for it. It reports false where too many of his links, or of his kind's, wait to be used.
func (f *Front) Invite(who Visitor, by limits.Kind, maker string) (secret string, ends time.Time, made bool) {
	return f.visits.invite(who, by, maker)
}

// End ends the visits of a person, with the pages that he has open, and forgets the links that wait
// for him; of everybody where no name is given. It returns how many there were.
func (f *Front) End(name string) (visits, links int) { return f.visits.endOf(name) }

// Run keeps the picture of the cluster fresh for who looks at it, until the context ends.
func (f *Front) Run(ctx context.Context) { f.board.run(ctx) }

// passed are the questions and orders of the tools' interface that the page may bring. Everything
// else is not for browsers: join tokens, certificates, backups, the doorkeeper.
var passed = []string{
	"GET " + api.PathStatus,
	"GET " + api.PathEvents,
	"GET " + api.PathMoves,
	"GET " + api.PathFence,
	"GET " + api.PathFenceHistory,
	"GET " + api.PathLock,
	"GET " + api.PathAlerts,
	"GET " + api.PathDoctor,
	"GET " + api.PathConfig,
	"GET " + api.PathHistory,
	"GET " + api.PathComparison,
	"GET " + api.PathServices + "/{name}/why",
	"GET " + api.PathNodes + "/{name}/plan",
	"GET " + api.PathRequests + "/{id}",
	"GET " + api.PathWhatIf,
	"GET " + api.PathReserve,
	"POST " + api.PathConfig,
	"POST " + api.PathRollback,
	"POST " + api.PathRequests,
	"POST " + api.PathNodes,
}

// Paths of the page's own.
const (
	pathLogin  = "/page/login"
	pathLogout = "/page/logout"
	pathVisit  = "/page/visit"
	pathStream = "/page/stream"
)

func (f *Front) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", f.file)
	mux.HandleFunc("GET /static/{file}", f.file)
	mux.HandleFunc("POST "+pathLogin, f.login)
	mux.HandleFunc("POST "+pathLogout, f.visiting(f.logout))
	mux.HandleFunc("GET "+pathVisit, f.visiting(f.tellVisit))
	mux.HandleFunc("GET "+pathStream, f.visiting(f.stream))
	for _, pattern := range passed {
		mux.HandleFunc(pattern, f.visiting(f.pass))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, "unknown_path", "the page has no "+r.URL.Path)
	})
	return mux
}

// policy lets the browser load what this node serves, and nothing else: no text that came from a
// guest, a device or a person can become a program.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guarded adds what every answer has, and refuses what another site sent.
func (f *Front) guarded(next http.Handler) http.Handler {
	foreign := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if err := foreign.Check(r); err != nil {
			f.refused(r, limits.Browsers, "a request of another site")
			fail(w, http.StatusForbidden, "foreign", "Permission denied: another site sent this request")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func readStatic() map[string]static {
	found := map[string]static{}
	kinds := map[string]string{".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
	entries, _ := fs.ReadDir(files, "static") // embedded: it is there, or nothing was built
	for _, entry := range entries {
		text, err := files.ReadFile("static/" + entry.Name())
		if kind := kinds[path.Ext(entry.Name())]; err == nil && kind != "" {
			sum := sha256.Sum256(text)
			found[entry.Name()] = static{text: text, kind: kind, mark: `"` + hex.EncodeToString(sum[:12]) + `"`}
		}
	}
	return found
}

// file sends one of the page's files. They hold no secret, so everybody may have them.
func (f *Front) file(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	if name == "" {
		name = "index.html"
	}
	found, known := f.static[name]
	if !known {
		fail(w, http.StatusNotFound, "unknown_path", "the page has no file "+name)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", found.mark)
	if strings.Contains(r.Header.Get("If-None-Match"), found.mark) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", found.kind)
	patiently(w)
	_, _ = w.Write(found.text)
}

// writePatience is how long a reader may keep an answer waiting.
const writePatience = 30 * time.Second

func patiently(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writePatience))
}

func fail(w http.ResponseWriter, status int, code, text string) {
	answer(w, status, api.Failure{Code: code, Message: text})
}

func answer(w http.ResponseWriter, status int, value any) {
	patiently(w)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // a reader that is gone needs no answer
}
