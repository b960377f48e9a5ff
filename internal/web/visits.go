package web

import (
	"cmp"
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
	// Links that wait, of one kind of who made them, and of one of them who is not root.
	mostLinks  = 64
	linksOfOne = 8
	// Visits of one role, and of one person.
	mostVisits  = 64
	visitsOfOne = 8
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
	// made and maker are who made it, for the places that he has.
	made  limits.Kind
	maker string
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
	// waiting has the places of links, by the kind of who made them, and those of visits go by role:
	// of too many the oldest of the same person goes.
	waiting map[limits.Kind]*limits.Pot[string]
	places  byRole[*visit]
}

func newVisits(now func() time.Time) *visits {
	v := &visits{now: now, links: map[string]link{}, open: map[string]*visit{},
		waiting: map[limits.Kind]*limits.Pot[string]{}, places: newPlaces[*visit](mostVisits, visitsOfOne, false)}
	for _, kind := range limits.Kinds() {
		v.waiting[kind] = &limits.Pot[string]{Most: mostLinks, Each: linksOfOne, Keeps: true}
	}
	v.waiting[limits.Root].Each = mostLinks
	return v
}

// byRole are places of visitors: each role has its own, so that those who may only look keep nobody
// out who has something to do.
type byRole[T comparable] map[pki.Role]*limits.Pot[T]

func newPlaces[T comparable](most, each int, keeps bool) byRole[T] {
	places := byRole[T]{}
	for _, role := range pki.Roles {
		places[role] = &limits.Pot[T]{Most: most, Each: each, Keeps: keeps}
	}
	return places
}

// of are the places of a visitor's role. One that nobody knows has those of who may only look.
func (p byRole[T]) of(who Visitor) *limits.Pot[T] {
	return cmp.Or(p[who.Role], p[pki.RoleViewer])
}

// digest is what is kept of a secret.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// invite makes the secret of a login link. It reports false where too many that the same person or
// his kind made wait to be used.
func (v *visits) invite(who Visitor, by limits.Kind, maker string) (secret string, ends time.Time, made bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now()
	for name, waiting := range v.links {
		if !now.Before(waiting.ends) {
			v.forget(name)
		}
	}
	secret, ends = rand.Text(), now.Add(LinkValidity)
	places := v.waiting[by]
	if places == nil {
		return "", time.Time{}, false
	}
	if _, room := places.Enter(maker, digest(secret)); !room {
		return "", time.Time{}, false
	}
	v.links[digest(secret)] = link{Visitor: who, ends: ends, made: by, maker: maker}
	return secret, ends, true
}

// forget drops a link, whose name is the digest of its secret. The caller holds the mutex.
func (v *visits) forget(name string) {
	if waiting, known := v.links[name]; known {
		v.waiting[waiting.made].Leave(waiting.maker, name)
		delete(v.links, name)
	}
}

// redeem uses a link up and begins a visit, whose cookie it returns.
func (v *visits) redeem(secret string) (began *visit, cookie string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now()
	waiting, known := v.links[digest(secret)]
	v.forget(digest(secret))
	if !known || !now.Before(waiting.ends) {
		return nil, ""
	}
	v.sweep(now)
	cookie = rand.Text()
	began = &visit{
		Visitor: waiting.Visitor, id: digest(cookie), csrf: rand.Text(), ends: now.Add(longestVisit), seen: now,
		gone: make(chan struct{}),
	}
	if pushed, _ := v.places.of(began.Visitor).Enter(began.Name, began); pushed != nil {
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
			v.places.of(one.Visitor).Leave(one.Name, one)
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
	v.places.of(one.Visitor).Leave(one.Name, one)
	v.end(one)
}

// endOf ends the visits of a person and forgets the links that wait for him, or all of everybody
// where no name is given.
func (v *visits) endOf(name string) (visits, links int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sweep(v.now())
	for secret, waiting := range v.links {
		if name != "" && waiting.Name != name {
			continue
		}
		if v.now().Before(waiting.ends) {
			links++
		}
		v.forget(secret)
	}
	for _, one := range v.open {
		if name == "" || one.Name == name {
			v.places.of(one.Visitor).Leave(one.Name, one)
			v.end(one)
			visits++
		}
	}
	return visits, links
}
