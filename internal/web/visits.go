package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/pki"
)

// Bounds of links and visits.
const (
	// LinkValidity is how long a login link may be used, once.
	LinkValidity = 5 * time.Minute
	// longestVisit ends a visit whatever its visitor does, and idleVisit one that nobody uses and that
	// may change something.
	longestVisit = 8 * time.Hour
	idleVisit    = 30 * time.Minute
	mostLinks    = 64
	mostVisits   = 64
	visitsOfOne  = 8
)

// Visitor is a person whom a login link lets in.
type Visitor struct {
	// Name is who asked for the link, or whom that person named.
	Name string
	Role pki.Role
}

// link is a login link that was not used yet.
type link struct {
	Visitor
	ends time.Time
}

// visit is what a cookie stands for.
type visit struct {
	Visitor
	// id names the visit; it is made from the cookie, which it does not reveal.
	id string
	// csrf is what the page sends along with each change, and another site cannot know.
	csrf string
	ends time.Time

	seen time.Time
	gone chan struct{} // closed when it is over
}

// peer is the visitor as the table of channels knows one.
func (v *visit) peer() pki.Peer {
	return pki.Peer{Kind: pki.KindVisitor, Name: v.Name, Role: v.Role, Fingerprint: v.id}
}

// visits are the links and visits of one node. They are kept in memory alone: a restart of the
// daemon ends them.
type visits struct {
	now func() time.Time

	mu    sync.Mutex
	links map[string]link
	open  map[string]*visit
	// places are whose the visits are: of too many the oldest of the same person goes.
	places limits.Pot[*visit]
}

func newVisits(now func() time.Time) *visits {
	return &visits{
		now: now, links: map[string]link{}, open: map[string]*visit{},
		places: limits.Pot[*visit]{Most: mostVisits, Each: visitsOfOne},
	}
}

// digest is what is kept of a secret.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// invite makes the secret of a login link. It reports false where too many wait to be used.
func (v *visits) invite(who Visitor) (secret string, ends time.Time, made bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now()
	for name, waiting := range v.links {
		if !now.Before(waiting.ends) {
			delete(v.links, name)
		}
	}
	if len(v.links) >= mostLinks {
		return "", time.Time{}, false
	}
	secret, ends = rand.Text(), now.Add(LinkValidity)
	v.links[digest(secret)] = link{Visitor: who, ends: ends}
	return secret, ends, true
}

// redeem uses a link up and begins a visit, whose cookie it returns.
func (v *visits) redeem(secret string) (began *visit, cookie string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now()
	waiting, known := v.links[digest(secret)]
	delete(v.links, digest(secret))
	if !known || !now.Before(waiting.ends) {
		return nil, ""
	}
	v.sweep(now)
	cookie = rand.Text()
	began = &visit{
		Visitor: waiting.Visitor, id: digest(cookie), csrf: rand.Text(), ends: now.Add(longestVisit), seen: now,
		gone: make(chan struct{}),
	}
	if pushed, _ := v.places.Enter(began.Name, began); pushed != nil {
		v.end(*pushed)
	}
	v.open[began.id] = began
	return began, cookie
}

// of is the visit of a cookie; nil where there is none, or it is over. Asking counts as its use.
func (v *visits) of(cookie string) *visit {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now()
	found := v.open[digest(cookie)]
	if found == nil || over(found, now) {
		v.sweep(now)
		return nil
	}
	found.seen = now
	return found
}

// lasts reports whether a visit is not over. The page's stream asks, and that is no use of it:
// a page that somebody left open ends with his visit.
func (v *visits) lasts(id string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	found := v.open[id]
	return found != nil && !over(found, v.now())
}

// over reports whether a visit has ended. Who may only look may leave the page open on a wall.
func over(v *visit, now time.Time) bool {
	return !now.Before(v.ends) || v.Role != pki.RoleViewer && now.Sub(v.seen) >= idleVisit
}

// sweep ends what is over. The caller holds the mutex.
func (v *visits) sweep(now time.Time) {
	for _, one := range v.open {
		if over(one, now) {
			v.places.Leave(one.Name, one)
			v.end(one)
		}
	}
}

// end closes a visit that has no place by now. The caller holds the mutex.
func (v *visits) end(one *visit) {
	if v.open[one.id] == one {
		delete(v.open, one.id)
		close(one.gone)
	}
}

// leave ends a visit.
func (v *visits) leave(one *visit) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.places.Leave(one.Name, one)
	v.end(one)
}
